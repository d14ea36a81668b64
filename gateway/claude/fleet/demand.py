"""Estimate how many new conversations will start at once, from those that have started."""

from __future__ import annotations

import time
from collections import deque

BURST_SECONDS = 3.0  # conversations within this time count as simultaneous
REMEMBER_SECONDS = 300.0


class Demand:
    """Remembers the largest recent burst of new conversations."""

    def __init__(self) -> None:
        self._arrivals: deque[float] = deque()
        self._bursts: deque[tuple[float, int]] = deque()

    def count_arrival(self) -> None:
        """Record a new conversation."""
        now = time.monotonic()
        self._arrivals.append(now)
        while self._arrivals[0] < now - BURST_SECONDS:
            self._arrivals.popleft()
        burst = len(self._arrivals)
        while self._bursts and self._bursts[-1][1] <= burst:
            self._bursts.pop()
        self._bursts.append((now, burst))

    @property
    def burst(self) -> int:
        """The largest number of simultaneous conversations in the last REMEMBER_SECONDS."""
        while self._bursts and self._bursts[0][0] < time.monotonic() - REMEMBER_SECONDS:
            self._bursts.popleft()
        return self._bursts[0][1] if self._bursts else 0
