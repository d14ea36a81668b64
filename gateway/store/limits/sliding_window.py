"""The state of a sliding window as clients see it: how much is left, and when there is room again.

A sliding window approximates the last `period` seconds by two fixed windows: the current one counts fully, and the
previous one by the share of it that lies within the period. For example, 30 seconds into a minute, half of the previous
minute's requests count.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from limits import RateLimitItem

# The previous window's count, the seconds until it expires, the current window's count, the seconds until it expires.
WindowCounts = tuple[int, float, int, float]


class WindowStorage(Protocol):
    """A storage that counts in sliding windows: DatabaseCounters or RedisCounters."""

    def hit(self, key: str, limit: int, expiry: int, amount: int = 1) -> tuple[bool, WindowCounts]:
        """Add to a window if there is room. Return whether there was, and the counts after that."""

    def get_sliding_window(self, key: str, expiry: int) -> WindowCounts:
        """Return the counts of a window."""


@dataclass(frozen=True, slots=True)
class RateLimitWindow:
    """The counts of one client's previous and current window of `period` seconds. The current one ends in `seconds`.

    >>> RateLimitWindow(limit=100, period=60, previous=40, current=10, seconds=30).remaining
    70
    """

    limit: int
    period: float
    previous: int
    current: int
    seconds: float

    @property
    def remaining(self) -> int:
        """Return how many more requests would be admitted now."""
        fading = math.floor(self.previous * self.seconds / self.period)
        return max(0, self.limit - fading - self.current)

    @property
    def reset(self) -> float:
        """Return the seconds until no counted request matters any more."""
        if self.current:
            return self.seconds + self.period
        return self.seconds if self.previous else 0.0

    @property
    def wait(self) -> float:
        """Return the seconds until the next request would be admitted."""
        if self.remaining:
            return 0.0
        if self.current >= self.limit:
            return self.seconds
        return self.seconds - (self.limit - self.current) * self.period / self.previous


def count_request(
    storage: WindowStorage, item: RateLimitItem, client: str, scope: str, reserve: int = 0
) -> tuple[bool, RateLimitWindow]:
    """Count a request if there is room. Return whether there was, and the window after that.

    `reserve` requests of the limit are kept for others. Raise the storage's errors.
    """
    limit = item.amount - reserve
    is_admitted, counts = storage.hit(item.key_for(client, scope), limit, item.get_expiry())
    return is_admitted, _create_window(item, counts, limit)


def take_back_request(storage: WindowStorage, item: RateLimitItem, client: str, scope: str) -> None:
    """Undo the counting of a request that was refused after all. Raise the storage's errors."""
    storage.hit(item.key_for(client, scope), item.amount, item.get_expiry(), -1)


def read_window(storage: WindowStorage, item: RateLimitItem, client: str, scope: str) -> RateLimitWindow:
    """Return a client's window without counting. Raise the storage's errors."""
    counts = storage.get_sliding_window(item.key_for(client, scope), item.get_expiry())
    return _create_window(item, counts, item.amount)


def _create_window(item: RateLimitItem, counts: WindowCounts, limit: int) -> RateLimitWindow:
    previous, previous_left, current, current_left = counts
    period = item.get_expiry()
    seconds = current_left - period if current_left else previous_left
    return RateLimitWindow(limit, period, previous, current, max(0.0, seconds))
