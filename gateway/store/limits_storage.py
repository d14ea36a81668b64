"""The counters of the `limits` library in the gateway's own database.

Exact across workers: what decides is one `INSERT … ON CONFLICT DO UPDATE … RETURNING` on one row. Every window has a row
of its own, named by its number, so that a row whose window is over never changes again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from limits.storage import SlidingWindowCounterSupport, Storage
from limits.storage.base import TimestampedSlidingWindow
from peewee import Case

from gateway.errors import StoreError
from gateway.store.database import Store
from gateway.store.models import LimitCounter

SWEEP_SECONDS = 60.0


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
        is_over = LimitCounter.expires_at <= now
        query = LimitCounter.insert(key=key, count=amount, expires_at=now + expiry).on_conflict(
            conflict_target=[LimitCounter.key],
            update={
                LimitCounter.count: Case(None, [(is_over, amount)], LimitCounter.count + amount),
                LimitCounter.expires_at: Case(None, [(is_over, now + expiry)], LimitCounter.expires_at),
            },
        )
        (row,) = self._change(now, lambda db: list(query.returning(LimitCounter.count).execute(db)))
        return int(row.count)

    def get(self, key: str) -> int:
        """The sum of a window; 0 if it is over."""
        return self._counts([key], self._now()).get(key, 0)

    def get_expiry(self, key: str) -> float:
        """When a window ends, in seconds since 1970; now, if it is over."""
        now = self._now()
        query = LimitCounter.select().where(LimitCounter.key == key, LimitCounter.expires_at > now)
        row = self._store.read(lambda db: query.first(db))
        return float(row.expires_at) if row else now

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Add to the window if there is room, where what was used in the last one fades out bit by bit."""
        now = self._now()
        before, current = self.sliding_window_keys(key, expiry, now)
        left = expiry - now % expiry

        def work(db: Any) -> bool:
            faded = _counts(db, [before], now).get(before, 0) * left / expiry
            room = limit - amount + 1 - faded  # the sum, rounded down, may reach the limit
            return room > 0 and bool(list(_add(current, amount, now + left + expiry, room).execute(db)))

        return self._change(now, work)

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """(count of the last window, its seconds to go, count of the current one, its seconds to go)."""
        now = self._now()
        before, current = self.sliding_window_keys(key, expiry, now)
        counts = self._counts([before, current], now)
        left = expiry - now % expiry
        return counts.get(before, 0), left, counts.get(current, 0), left + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget what was used."""
        for name in self.sliding_window_keys(key, expiry, self._now()):
            self.clear(name)

    def clear(self, key: str) -> None:
        """Forget a window."""
        self._store.write(lambda db: LimitCounter.delete().where(LimitCounter.key == key).execute(db))

    def reset(self) -> int:
        """Forget everything; how many windows there were."""
        return int(self._store.write(lambda db: LimitCounter.delete().execute(db)))

    def check(self) -> bool:
        """Whether the database answers."""
        try:
            self.get("")
        except StoreError:
            return False
        return True

    def _counts(self, keys: list[str], now: float) -> dict[str, int]:
        return self._store.read(lambda db: _counts(db, keys, now))

    def _change(self, now: float, work: Callable[[Any], Any]) -> Any:
        if now - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = now
            self._store.write(
                lambda db: LimitCounter.delete().where(LimitCounter.expires_at <= now).execute(db)
            )
        return self._store.write(work)


def _counts(db: Any, keys: list[str], now: float) -> dict[str, int]:
    query = LimitCounter.select(LimitCounter.key, LimitCounter.count).where(
        LimitCounter.key.in_(keys), LimitCounter.expires_at > now
    )
    return {key: int(count) for key, count in query.tuples().execute(db)}


def _add(key: str, amount: int, expires_at: float, room: float) -> Any:
    """Returns a row if `amount` was added: to less than `room`."""
    return (
        LimitCounter.insert(key=key, count=amount, expires_at=expires_at)
        .on_conflict(
            conflict_target=[LimitCounter.key],
            update={LimitCounter.count: LimitCounter.count + amount},
            where=LimitCounter.count < room,
        )
        .returning(LimitCounter.count)
    )
