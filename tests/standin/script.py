"""Which scripted reply a request gets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from .prompt import Body, last_user_text
from .replies import Reply, text

Answer = Reply | Callable[[Body], Reply]
When = str | Callable[[Body], bool] | None

DEFAULT = text("Hello from the stand-in, at your service.")


@dataclass
class _Entry:
    answer: Answer
    when: When
    times: int | None

    def applies(self, body: Body) -> bool:
        if self.times == 0 or self.when is None:
            return self.times != 0
        return self.when in last_user_text(body) if isinstance(self.when, str) else self.when(body)


class Script:
    """Rules tried newest first, and the answer when none applies. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Back to the built-in default alone."""
        self._entries: list[_Entry] = []
        self.default: Answer = DEFAULT

    def add(self, answer: Answer, when: When, times: int | None) -> None:
        """Put a rule before all others; it goes after `times` uses."""
        with self._lock:
            self._entries.insert(0, _Entry(answer, when, times))

    def reply_to(self, body: Body) -> Reply:
        """The reply to this request, counted as used."""
        answer = self._choose(body)
        # Outside the lock: a callable may block, to hold a request back until a test says so.
        return answer if isinstance(answer, Reply) else answer(body)

    def _choose(self, body: Body) -> Answer:
        with self._lock:
            entry = next((entry for entry in self._entries if entry.applies(body)), None)
            if entry is None:
                return self.default
            if entry.times is not None:
                entry.times -= 1
            return entry.answer
