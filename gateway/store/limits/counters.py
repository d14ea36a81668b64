"""The counters of the `limits` library in the gateway's own database.

Exact across workers: what decides is one `INSERT … ON CONFLICT DO UPDATE … RETURNING` on one row, a transaction by
itself. Every sliding window has a row of its own, named by its number, so that the row of the last one does not change
any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from limits.storage import SlidingWindowCounterSupport, Storage
from limits.storage.base import TimestampedSlidingWindow

from gateway.errors import StoreError
from gateway.store.database import Store, rows
from gateway.store.models import LimitCounter

T = TypeVar("T")

SWEEP_SECONDS = 60.0

COUNTS = "SELECT key, count FROM limit_counters WHERE key IN (?, ?) AND expires_at > ?"
EXPIRY = "SELECT expires_at FROM limit_counters WHERE key = ? AND expires_at > ?"
INSERT = "INSERT INTO limit_counters AS own (key, count, expires_at) "
ON_CONFLICT = " ON CONFLICT (key) DO UPDATE SET "
ROOM = "? - COALESCE((SELECT count FROM limit_counters WHERE key = ? AND expires_at > ?), 0) * ? / ?"
ACQUIRE = (
    INSERT
    + f"SELECT ?, ?, ? WHERE 0 < {ROOM}"
    + ON_CONFLICT
    + f"count = own.count + excluded.count WHERE own.count < {ROOM} RETURNING count, "
    + "COALESCE((SELECT count FROM limit_counters WHERE key = ? AND expires_at > ?), 0)"
)
INCREASE = (
    INSERT
    + "VALUES (?, ?, ?)"
    + ON_CONFLICT
    + "count = CASE WHEN own.expires_at <= ? THEN 0 ELSE own.count END + excluded.count, "
    + "expires_at = CASE WHEN own.expires_at <= ? THEN excluded.expires_at ELSE own.expires_at END RETURNING count"
)


class DatabaseStorage(Storage, SlidingWindowCounterSupport, TimestampedSlidingWindow):
    """Fixed and sliding windows in `store`. Everything raises StoreError when the database fails."""

    STORAGE_SCHEME = ["sqlite"]  # noqa: RUF012  the library's own way

    def __init__(
        self, uri: str | None = None, *, store: Store, now: Callable[[], float] = time.time, **options: Any
    ) -> None:
        super().__init__(uri, **options)
        self._store = store
        self._now = now
        self._swept_at = 0.0

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the library may wrap."""
        return StoreError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a window that ends `expiry` seconds after it was begun; its new sum."""
        now = self._now()
        values = (key, amount, now + expiry, now, now)
        return self._change(now, lambda db: int(rows(db, INCREASE, *values)[0][0]))

    def get(self, key: str) -> int:
        """The sum of a window; 0 if it is over."""
        return self._counts(key, key, self._now()).get(key, 0)

    def get_expiry(self, key: str) -> float:
        """When a window ends, in seconds since 1970; now, if it is over."""
        now = self._now()
        found = self._store.read(lambda db: rows(db, EXPIRY, key, now))
        return float(found[0][0]) if found else now

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Add to the window if there is room, where what was used in the last one fades out bit by bit."""
        return self.hit(key, limit, expiry, amount) is not None

    def hit(self, key: str, limit: int, expiry: int, amount: int = 1) -> tuple[int, float, int, float] | None:
        """As `acquire_sliding_window_entry`, but what `get_sliding_window` would say now; None if there is no room."""
        now = self._now()
        before, current = self.sliding_window_keys(key, expiry, now)
        left = expiry - now % expiry
        room = (limit - amount + 1, before, now, left, expiry)  # the sum, rounded down, may reach the limit
        values = (current, amount, now + left + expiry, *room, *room, before, now)
        found = self._change(now, lambda db: rows(db, ACQUIRE, *values))
        return (found[0][1], left, found[0][0], left + expiry) if found else None

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """(count of the last window, its seconds to go, count of the current one, its seconds to go)."""
        now = self._now()
        before, current = self.sliding_window_keys(key, expiry, now)
        counts = self._counts(before, current, now)
        left = expiry - now % expiry
        return counts.get(before, 0), left, counts.get(current, 0), left + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget what was used."""
        for name in self.sliding_window_keys(key, expiry, self._now()):
            self.clear(name)

    def clear(self, key: str) -> None:
        """Forget a window."""
        self._store.write(LimitCounter.delete().where(LimitCounter.key == key).execute)

    def reset(self) -> int:
        """Forget everything; how many windows there were."""
        return int(self._store.write(LimitCounter.delete().execute))

    def check(self) -> bool:
        """Whether the database answers."""
        try:
            self.get("")
        except StoreError:
            return False
        return True

    def _counts(self, one: str, other: str, now: float) -> dict[str, int]:
        return dict(self._store.read(lambda db: rows(db, COUNTS, one, other, now)))

    def _change(self, now: float, work: Callable[[Any], T]) -> T:
        if now - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = now
            self._store.write(LimitCounter.delete().where(LimitCounter.expires_at <= now).execute)
        return self._store.write_single(work)
