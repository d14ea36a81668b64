"""Give up idle processes before the memory is used up, because the kernel would kill any process then.

For example:

    guard = MemoryGuard(MemoryGauge(), give_up=parked.evict)
    guard.check()     # again after `guard.pause` seconds
"""

import logging
import time
from collections.abc import Callable, Iterable

from gateway.memory import MEGABYTE, PROCESS_BYTES, MemoryGauge
from gateway.settings import Settings

log = logging.getLogger(__name__)

HEADROOM_BYTES = PROCESS_BYTES  # room for a start
STALLED_HEADROOM_BYTES = 4 * HEADROOM_BYTES  # pressure matters only if little memory is left
#: Memory that is used up faster is not noticed in time. Two cores start four processes per second, of 155 MB each.
MAX_BYTES_PER_SECOND = 1000 * MEGABYTE
MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.5, 10.0


class MemoryGuard:
    """Compares the memory that is left with what the next start needs.

    `give_up` ends the least valuable idle process, and returns False if no process is idle. `given_up` counts them.
    `is_short` is True while nothing may be started that no turn waits for.
    """

    def __init__(self, gauge: MemoryGauge, give_up: Callable[[], bool]) -> None:
        self.given_up = 0
        self.is_short = False
        self._gauge = gauge
        self._give_up = give_up
        self._checked_at = self._due_at = time.monotonic()

    @property
    def pause(self) -> float:
        """The seconds until the next look, in which the memory cannot be used up."""
        return max(0.0, self._due_at - time.monotonic())

    def check(self) -> None:
        """Look at the memory, if it may be short. If it is, give up as many processes as are needed."""
        if self.pause:
            return
        missing = self._count_missing()
        if missing > 0 and not self.is_short:
            log.warning(
                "memory is short, so idle claude processes are given up: %d MB missing", missing // 1_000_000
            )
        self.is_short = missing > 0
        while missing > 0 and self._give_up():
            self.given_up += 1
            missing -= PROCESS_BYTES

    def _count_missing(self) -> int:
        """Return how many bytes should be freed."""
        now = time.monotonic()
        seconds, self._checked_at = now - self._checked_at, now
        is_stalled = self._gauge.is_stalled(seconds)
        available = self._gauge.available()
        spare = 0 if available is None else available - STALLED_HEADROOM_BYTES
        self._due_at = now + min(max(MIN_PAUSE_SECONDS, spare / MAX_BYTES_PER_SECOND), MAX_PAUSE_SECONDS)
        if available is None:
            return 0
        if is_stalled and available < STALLED_HEADROOM_BYTES:
            return max(1, HEADROOM_BYTES - available)
        return HEADROOM_BYTES - available


def make_guard(
    settings: Settings, list_pids: Callable[[], Iterable[int]], give_up: Callable[[], bool]
) -> MemoryGuard:
    """Return the guard of the memory that this worker may use, together with its processes (`list_pids`)."""
    share = settings.max_memory_mb * MEGABYTE // settings.web_concurrency
    return MemoryGuard(MemoryGauge(share or None, list_pids), give_up)
