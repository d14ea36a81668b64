"""The deadlines of running turns, watched by one greenlet for all: a timer of gevent's for each turn takes 40 µs.

For example:

    deadlines = Deadlines(seconds=3600)
    deadlines.add(run.expire)      # called in 3600 seconds
    deadlines.remove(run.expire)   # the run is over
"""

from collections.abc import Callable
from time import monotonic

import gevent

Action = Callable[[], object]


class Deadlines:
    """Calls each action in a greenlet of its own, `seconds` after it was added, unless it was removed."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[Action, float] = {}  # earliest first, as all take the same time
        self._watcher: gevent.Greenlet[..., None] | None = None

    def add(self, action: Action) -> None:
        """Call `action` later."""
        self._ends[action] = monotonic() + self._seconds
        if self._watcher is None:
            self._watcher = gevent.spawn(self._watch)

    def remove(self, action: Action) -> None:
        """Do not call `action`. Removing it again has no effect."""
        self._ends.pop(action, None)

    def _watch(self) -> None:
        while self._ends:
            action, end = next(iter(self._ends.items()))
            left = end - monotonic()
            if left > 0:
                gevent.sleep(left)
            else:
                del self._ends[action]
                gevent.spawn(action)
        self._watcher = None
