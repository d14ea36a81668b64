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
from gateway.store.database import Store
from gateway.store.models import LimitLease

log = logging.getLogger(__name__)

LEASE_SECONDS = 10.0
RENEW_SECONDS = 3.0


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
        taken = LimitLease.select(LimitLease.slot).where(LimitLease.who == who, LimitLease.expires_at > now)

        def work(db: Any) -> bool:
            slots = {slot for (slot,) in taken.tuples().execute(db)}
            free = [slot for slot in range(most) if slot not in slots] if len(slots) < most else []
            return any(_take(db, who, slot, lease_id, now, now + seconds) for slot in free)

        return self._store.write(work)

    def renew(self, leases: Collection[tuple[str, str]], seconds: float) -> None:
        """Let leases run out `seconds` from now."""
        ids = [lease_id for _, lease_id in leases]
        query = LimitLease.update(expires_at=self._now() + seconds).where(LimitLease.id.in_(ids))
        self._store.write(query.execute)

    def release(self, who: str, lease_id: str) -> None:
        """End a lease."""
        query = LimitLease.delete().where(LimitLease.id == lease_id)
        self._store.write(query.execute)


def _take(db: Any, who: str, slot: int, lease_id: str, now: float, expires_at: float) -> bool:
    values = {"id": lease_id, "expires_at": expires_at}
    query = LimitLease.insert(who=who, slot=slot, **values).on_conflict(
        conflict_target=[LimitLease.who, LimitLease.slot],
        update=values,
        where=LimitLease.expires_at <= now,
    )
    return bool(list(query.returning(LimitLease.id).execute(db)))


class Held:
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
