"""The counters of the `limits` library, in the gateway's own database.

They are exact across workers: one `INSERT … ON CONFLICT DO UPDATE … RETURNING` on one row decides, and a statement is a
transaction of its own. Every sliding window has a row of its own, whose key contains the window's number. Therefore the
row of the previous window does not change any more.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from limits.storage import SlidingWindowCounterSupport, Storage
from limits.storage.base import TimestampedSlidingWindow

from gateway.errors import StoreError
from gateway.store.database import Store
from gateway.store.limits.sliding_window import WindowCounts
from gateway.store.models import LimitCounter
from gateway.store.statements import ADD_IF_ROOM, ADD_TO_COUNTER, COUNTER_EXPIRY, COUNTS, fetch_rows

T = TypeVar("T")

SWEEP_SECONDS = 60.0


class DatabaseCounters(Storage, SlidingWindowCounterSupport, TimestampedSlidingWindow):
    """Fixed and sliding windows in `store`. Every method raises StoreError when the database fails.

    Periods (`expiry`) are in seconds. `now` returns seconds since 1970.
    """

    STORAGE_SCHEME = ["sqlite"]  # noqa: RUF012  the library registers the class by it

    def __init__(
        self, uri: str | None = None, *, store: Store, now: Callable[[], float] = time.time, **options: Any
    ) -> None:
        super().__init__(uri, **options)
        self._store = store
        self._now = now
        self._swept_at = 0.0

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return the errors that the library may wrap."""
        return StoreError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a fixed window, which ends `expiry` seconds after its first entry. Return its new count."""
        now = self._now()
        values = (key, amount, now + expiry, now, now)
        return self._change(now, lambda db: int(fetch_rows(db, ADD_TO_COUNTER, *values)[0][0]))

    def get(self, key: str) -> int:
        """Return the count of a fixed window; 0 if it is over."""
        return self._read_counts(key, key, self._now()).get(key, 0)

    def get_expiry(self, key: str) -> float:
        """Return the end of a fixed window in seconds since 1970; now, if it is over."""
        now = self._now()
        found = self._store.read(lambda db: fetch_rows(db, COUNTER_EXPIRY, key, now))
        return float(found[0][0]) if found else now

    def hit(self, key: str, limit: int, expiry: int, amount: int = 1) -> tuple[bool, WindowCounts]:
        """Add to a sliding window if there is room. Return whether there was, and the counts after that.

        The statement that adds returns the counts, too, so an admitted request needs one round trip.
        """
        counts = self._add_if_room(key, limit, expiry, amount)
        return counts is not None, counts or self.get_sliding_window(key, expiry)

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Add to a sliding window if there is room. Return whether there was."""
        return self._add_if_room(key, limit, expiry, amount) is not None

    def get_sliding_window(self, key: str, expiry: int) -> WindowCounts:
        """Return the counts of the previous and of the current window, each with the seconds until it expires."""
        now = self._now()
        before, current = self.sliding_window_keys(key, expiry, now)
        counts = self._read_counts(before, current, now)
        left = expiry - now % expiry
        return counts.get(before, 0), left, counts.get(current, 0), left + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Delete the counts of a sliding window."""
        for name in self.sliding_window_keys(key, expiry, self._now()):
            self.clear(name)

    def clear(self, key: str) -> None:
        """Delete the count of a fixed window."""
        self._store.write(LimitCounter.delete().where(LimitCounter.key == key).execute)

    def reset(self) -> int:
        """Delete all counts. Return the number of windows."""
        return int(self._store.write(LimitCounter.delete().execute))

    def check(self) -> bool:
        """Return True if the database answers."""
        try:
            self.get("")
        except StoreError:
            return False
        return True

    def _add_if_room(self, key: str, limit: int, expiry: int, amount: int) -> WindowCounts | None:
        now = self._now()
        before, current = self.sliding_window_keys(key, expiry, now)
        left = expiry - now % expiry
        room = (limit - amount + 1, before, now, left, expiry)  # the sum, rounded down, may reach the limit
        values = (current, amount, now + left + expiry, *room, *room, before, now)
        found = self._change(now, lambda db: fetch_rows(db, ADD_IF_ROOM, *values))
        return (found[0][1], left, found[0][0], left + expiry) if found else None

    def _read_counts(self, one: str, other: str, now: float) -> dict[str, int]:
        return dict(self._store.read(lambda db: fetch_rows(db, COUNTS, one, other, now)))

    def _change(self, now: float, work: Callable[[Any], T]) -> T:
        if now - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = now
            self._store.write(LimitCounter.delete().where(LimitCounter.expires_at <= now).execute)
        return self._store.write_single(work)
