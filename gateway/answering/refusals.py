"""A bound on the rows of refused requests, so that a client that is refused all the time cannot fill the disk.

Of the refused requests that are alike in a minute, the first MAX_ALIKE get rows. The others are counted, and one row at
the end of the minute has their number:

>>> seconds = 0.0
>>> refusals = Refusals(max_alike=1, now=lambda: seconds)
>>> [refusals.admits(("192.0.2.1", "invalid_api_key"), "request") for _ in range(3)]
[True, False, False]
>>> seconds = 70.0
>>> refusals.take_repeated()
[('request', 2)]
"""

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

MAX_ALIKE = 10  # rows per minute
MAX_KINDS = 200  # per minute and worker, of refused requests that differ
SECONDS = 60.0

T = TypeVar("T")


class Refusals(Generic[T]):
    """Counts the refused requests of the current minute by their kind. `now` returns seconds."""

    def __init__(self, max_alike: int = MAX_ALIKE, now: Callable[[], float] = time.monotonic) -> None:
        self._max_alike = max_alike
        self._now = now
        self._began_at = -SECONDS
        self._counts: dict[Hashable, int] = {}
        self._repeated: dict[Hashable, tuple[T, int]] = {}

    @property
    def is_pending(self) -> bool:
        """True while `take_repeated` may return something later."""
        return bool(self._repeated)

    def admits(self, kind: Hashable, request: T) -> bool:
        """Return True if the request gets a row of its own; otherwise it is counted."""
        if self._is_over and not self.is_pending:
            self._counts.clear()
            self._began_at = self._now()
        if kind not in self._counts and len(self._counts) >= MAX_KINDS:
            kind = None  # the kinds beyond the limit share one row
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        if count <= self._max_alike:
            return True
        self._repeated[kind] = (request, self._repeated.get(kind, (request, 0))[1] + 1)
        return False

    def take_repeated(self) -> list[tuple[T, int]]:
        """Return the last request of each kind that was counted, with its number, if the minute is over."""
        if not self._is_over:
            return []
        repeated = list(self._repeated.values())
        self._repeated.clear()
        return repeated

    @property
    def _is_over(self) -> bool:
        return self._now() - self._began_at >= SECONDS
