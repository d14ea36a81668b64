"""Answers that are being written, counted across workers so that none is counted for ever.

Every answer has a lease, which its worker renews. The leases of a worker that was killed run out by themselves.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Collection
from typing import Any, Protocol

import gevent

from gateway.errors import StoreError
from gateway.store.database import Store, rows
from gateway.store.models import LimitLease

log = logging.getLogger(__name__)

LEASE_SECONDS = 6.0
RENEW_SECONDS = 2.0

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
        self._store.once(lambda db: rows(db, END, lease_id))


class HeldLeases:
    """The leases of this process, renewed as long as they are held."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self._held: set[tuple[str, str]] = set()
        self._renewer: gevent.Greenlet[..., None] | None = None

    def take(self, who: str, most: int) -> Callable[[], None] | None:
        """What ends the lease, once it is called; None if there is no room. Raises StoreError."""
        lease = (who, secrets.token_hex(8))
        if not self._leases.acquire(*lease, most, LEASE_SECONDS):
            return None
        self._held.add(lease)
        if not self._renewer:  # a greenlet is false when it has ended
            self._renewer = gevent.spawn(self._renew)
        return lambda: self._release(lease)

    def _release(self, lease: tuple[str, str]) -> None:
        if lease in self._held:
            self._held.discard(lease)
            try:
                self._leases.release(*lease)
            except StoreError:
                log.warning("a lease could not be ended: it runs out in %.0f s", LEASE_SECONDS)

    def _renew(self) -> None:
        while self._held:
            gevent.sleep(RENEW_SECONDS)
            try:
                self._leases.renew(list(self._held), LEASE_SECONDS)
            except StoreError:
                log.warning("leases could not be renewed: some clients may have too many answers at once")
