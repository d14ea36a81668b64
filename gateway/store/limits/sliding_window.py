"""What a sliding window says to a client: how much is left, and for how long nothing is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from limits import RateLimitItem
from limits.storage import SlidingWindowCounterSupport

from gateway.store.limits.counters import DatabaseStorage

Window = tuple[int, float, int, float]  # as `get_sliding_window` returns it


@dataclass(frozen=True, slots=True)
class RateLimitWindow:
    """Counts of the last window and of this one. Of the last one counts what share of `period` is to go, in seconds."""

    limit: int
    period: float
    previous: int
    current: int
    seconds: float  # until this window ends

    @property
    def remaining(self) -> int:
        """How many more would pass now."""
        faded = math.floor(self.previous * self.seconds / self.period)
        return max(0, self.limit - faded - self.current)

    @property
    def reset(self) -> float:
        """Seconds until nothing of it counts any more."""
        if self.current:
            return self.seconds + self.period
        return self.seconds if self.previous else 0.0

    @property
    def wait(self) -> float:
        """Seconds until the next one would pass."""
        if self.remaining:
            return 0.0
        if self.current >= self.limit:
            return self.seconds
        return self.seconds - (self.limit - self.current) * self.period / self.previous


def count_request(
    storage: SlidingWindowCounterSupport, item: RateLimitItem, who: str, scope: str
) -> tuple[bool, RateLimitWindow]:
    """Count one more if there is room: whether there was, and the window then. Raises what the storage does."""
    key, period = item.key_for(who, scope), item.get_expiry()
    if isinstance(storage, DatabaseStorage):
        found = storage.hit(key, item.amount, period)
        return found is not None, _sliding(item, found or storage.get_sliding_window(key, period))
    passed = storage.acquire_sliding_window_entry(key, item.amount, period)
    return passed, _sliding(item, storage.get_sliding_window(key, period))


def read_window(
    storage: SlidingWindowCounterSupport, item: RateLimitItem, who: str, scope: str
) -> RateLimitWindow:
    """The window of the limiter's `item`. Raises what the storage does."""
    return _sliding(item, storage.get_sliding_window(item.key_for(who, scope), item.get_expiry()))


def _sliding(item: RateLimitItem, window: Window) -> RateLimitWindow:
    previous, previous_left, current, current_left = window
    period = item.get_expiry()
    seconds = current_left - period if current_left else previous_left
    return RateLimitWindow(item.amount, period, previous, current, max(0.0, seconds))
