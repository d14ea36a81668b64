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
        self._starts: dict[Action, float] = {}  # earliest first
        self._watcher: gevent.Greenlet[..., None] | None = None

    def add(self, action: Action) -> None:
        """Call `action` later."""
        self._starts[action] = monotonic()
        if self._watcher is None:
            self._watcher = gevent.spawn(self._watch)

    def remove(self, action: Action) -> None:
        """Do not call `action`. Removing it again has no effect."""
        self._starts.pop(action, None)

    def change(self, seconds: float) -> None:
        """Change the time, also of the actions that were added before."""
        self._seconds = seconds
        if self._watcher is not None:  # it sleeps until the former end
            self._watcher.kill(block=False)
            self._watcher = gevent.spawn(self._watch)

    def _watch(self) -> None:
        while self._starts:
            action, start = next(iter(self._starts.items()))
            left = start + self._seconds - monotonic()
            if left > 0:
                gevent.sleep(left)
            else:
                del self._starts[action]
                gevent.spawn(action)
        self._watcher = None
