"""The demand for new conversations, so that processes are ready before they are asked for.

For example:

    demand = Demand()
    demand.count_arrival()
    demand.burst        # 1: at most one conversation began at a time
    demand.rate         # 0.0: conversations per second, apart from the newest
"""

import time
from collections import deque

BURST_SECONDS = 3.0  # conversations within this time count as simultaneous
REMEMBER_SECONDS = 300.0
RATE_SECONDS = 10.0
# A single burst is no rate: the newest conversations need the CPU, and others may not follow.
NEWEST_SECONDS = 1.0


class Demand:
    """Remembers the largest recent burst of new conversations for `remember_seconds`, and their rate."""

    def __init__(self, remember_seconds: float = REMEMBER_SECONDS) -> None:
        self.remember_seconds = remember_seconds
        self._arrivals: deque[float] = deque()
        self._bursts: deque[tuple[float, int]] = deque()

    def count_arrival(self) -> None:
        """Record a new conversation."""
        now = time.monotonic()
        self._arrivals.append(now)
        while self._arrivals[0] < now - RATE_SECONDS:
            self._arrivals.popleft()
        burst = sum(arrival >= now - BURST_SECONDS for arrival in self._arrivals)
        while self._bursts and self._bursts[-1][1] <= burst:
            self._bursts.pop()
        self._bursts.append((now, burst))

    @property
    def burst(self) -> int:
        """The largest number of simultaneous conversations that is remembered."""
        while self._bursts and self._bursts[0][0] < time.monotonic() - self.remember_seconds:
            self._bursts.popleft()
        return self._bursts[0][1] if self._bursts else 0

    @property
    def rate(self) -> float:
        """The conversations per second in the last RATE_SECONDS, not counting the last NEWEST_SECONDS."""
        now = time.monotonic()
        count = sum(now - RATE_SECONDS <= arrival <= now - NEWEST_SECONDS for arrival in self._arrivals)
        return count / (RATE_SECONDS - NEWEST_SECONDS)
