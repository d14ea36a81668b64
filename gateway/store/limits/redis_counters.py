"""The counters of the `limits` library in Redis, for several machines."""

from __future__ import annotations

from limits.storage import RedisStorage

from gateway.store.limits.sliding_window import WindowCounts


class RedisCounters(RedisStorage):
    """The library's storage, with `hit` as DatabaseCounters has it."""

    STORAGE_SCHEME = ["redis", "rediss", "redis+unix"]  # noqa: RUF012  replaces the library's own class

    def hit(self, key: str, limit: int, expiry: int, amount: int = 1) -> tuple[bool, WindowCounts]:
        """Add to a sliding window if there is room. Return whether there was, and the counts after that."""
        is_admitted: bool = self.acquire_sliding_window_entry(key, limit, expiry, amount)
        return is_admitted, self.get_sliding_window(key, expiry)
