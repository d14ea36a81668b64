"""Choose the scripted reply of each request."""

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
    """Scripted answers and a default. The newest answer that applies is used. Several threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Restore the built-in default and forget everything else."""
        self._entries: list[_Entry] = []
        self.default: Answer = DEFAULT

    def add(self, answer: Answer, when: When, times: int | None) -> None:
        """Add an answer before all others. It is used up after `times` requests."""
        with self._lock:
            self._entries.insert(0, _Entry(answer, when, times))

    def reply_to(self, body: Body, *, uses_up: bool = True) -> Reply:
        """Return the reply to this request, and count it as used if `uses_up`."""
        answer = self._choose(body, uses_up)
        # Called outside the lock, because a callable may block until the test lets the request continue.
        return answer if isinstance(answer, Reply) else answer(body)

    def _choose(self, body: Body, uses_up: bool) -> Answer:
        with self._lock:
            entry = next((entry for entry in self._entries if entry.applies(body)), None)
            if entry is None:
                return self.default
            if entry.times is not None and uses_up:
                entry.times -= 1
            return entry.answer
