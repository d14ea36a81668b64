"""Answers that are being written, counted across workers so that none is counted for ever.

Every answer has a lease, which its worker renews. The leases of a worker that was killed run out by themselves.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Collection
from typing import Any, Protocol

from gateway.errors import StoreError
from gateway.store.database import Store, rows
from gateway.store.lease_keeper import LEASE_SECONDS, RENEW_SECONDS, LeaseKeeper
from gateway.store.models import LimitLease

log = logging.getLogger(__name__)

# Written out, as requests go through them.
TAKEN = "SELECT slot FROM limit_leases WHERE who = ? AND expires_at > ?"
TAKE = (
    "INSERT INTO limit_leases AS own (id, who, slot, expires_at) VALUES (?, ?, ?, ?) ON CONFLICT (who, slot) "
    "DO UPDATE SET id = excluded.id, expires_at = excluded.expires_at WHERE own.expires_at <= ? RETURNING id"
)
END = "DELETE FROM limit_leases WHERE id = ? RETURNING id"


class Leases(Protocol):
    """Where leases are kept. Every method raises StoreError when that fails; a lease is known by (who, id)."""

    def acquire(self, who: str, lease_id: str, most: int, seconds: float) -> bool:
        """Whether there was room for one more among `most`."""

    def renew(self, leases: Collection[tuple[str, str]], seconds: float) -> None:
        """Let leases run out `seconds` from now."""

    def release(self, who: str, lease_id: str) -> None:
        """End a lease."""


class DatabaseLeases:
    """Leases in the database. Each has one of its client's numbered slots, which nobody else can have meanwhile."""

    def __init__(self, store: Store, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now

    def acquire(self, who: str, lease_id: str, most: int, seconds: float) -> bool:
        """Whether there was room for one more among `most`."""
        now = self._now()

        def work(db: Any) -> bool:
            taken = {slot for (slot,) in rows(db, TAKEN, who, now)}
            free = [slot for slot in range(most) if slot not in taken] if len(taken) < most else []
            return any(rows(db, TAKE, lease_id, who, slot, now + seconds, now) for slot in free)

        return self._store.write(work)

    def renew(self, leases: Collection[tuple[str, str]], seconds: float) -> None:
        """Let leases run out `seconds` from now."""
        ids = [lease_id for _, lease_id in leases]
        query = LimitLease.update(expires_at=self._now() + seconds).where(LimitLease.id.in_(ids))
        self._store.write(query.execute)

    def release(self, who: str, lease_id: str) -> None:
        """End a lease."""
        self._store.write_single(lambda db: rows(db, END, lease_id))


class HeldLeases:
    """The leases of this worker's answers, renewed until they are released."""

    def __init__(
        self, leases: Leases, *, lease_seconds: float = LEASE_SECONDS, renew_seconds: float = RENEW_SECONDS
    ) -> None:
        self._leases = leases
        self._lease_seconds = lease_seconds
        self._keeper = LeaseKeeper(self._renew, poll_seconds=renew_seconds, renew_seconds=renew_seconds)

    def acquire(self, who: str, most: int) -> Callable[[], None] | None:
        """Take a lease and return the function that releases it; None if there is no room. Raises StoreError."""
        lease = (who, secrets.token_hex(8))
        if not self._leases.acquire(*lease, most, self._lease_seconds):
            return None
        self._keeper.add(lease)
        return lambda: self._release(lease)

    def _renew(self, leases: Collection[tuple[str, str]]) -> None:
        self._leases.renew(leases, self._lease_seconds)

    def _release(self, lease: tuple[str, str]) -> None:
        self._keeper.remove(lease)
        try:
            self._leases.release(*lease)
        except StoreError:
            log.warning("a lease could not be released; it expires in %.0f s", self._lease_seconds)
