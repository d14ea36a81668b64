"""Slots for answers: they limit the number of answers that one client gets at the same time, across all workers.

Every answer has a lease on a slot, which its worker renews. The leases of a worker that was killed expire.
"""

import logging
import secrets
import time
from collections.abc import Callable, Collection
from typing import Any, Generic, Protocol, TypeVar

from gateway.errors import StoreError
from gateway.store.database import Store
from gateway.store.lease_keeper import LEASE_SECONDS, RENEW_SECONDS, LeaseKeeper
from gateway.store.models import LimitLease
from gateway.store.statements import LEASE_SLOTS, RELEASE_SLOT, TAKE_SLOT, fetch_rows

log = logging.getLogger(__name__)


class Renewable(Protocol):
    """A storage of leases. A lease is identified by its client and its id. Every method may raise StoreError."""

    def renew(self, leases: Collection[tuple[str, str]], seconds: float) -> None:
        """Let leases expire `seconds` from now."""

    def release(self, client: str, lease_id: str) -> None:
        """End a lease. One that is over already is ignored."""


class Leases(Renewable, Protocol):
    """A storage of leases on slots."""

    def acquire(self, client: str, lease_id: str, limit: int, seconds: float) -> bool:
        """Take a lease for `seconds` if the client has fewer than `limit`. Return whether it was taken."""


Kind = TypeVar("Kind", bound=Renewable)


class DatabaseLeases:
    """Leases in the database. Each is on one of its client's numbered slots, which has one lease at a time."""

    def __init__(self, store: Store, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now

    def acquire(self, client: str, lease_id: str, limit: int, seconds: float) -> bool:
        """Take a lease for `seconds` if the client has fewer than `limit`. Return whether it was taken."""
        now = self._now()

        def work(db: Any) -> bool:
            taken = {slot for (slot,) in fetch_rows(db, LEASE_SLOTS, client, now)}
            free = [slot for slot in range(limit) if slot not in taken] if len(taken) < limit else []
            return any(fetch_rows(db, TAKE_SLOT, lease_id, client, slot, now + seconds, now) for slot in free)

        return self._store.write(work)

    def renew(self, leases: Collection[tuple[str, str]], seconds: float) -> None:
        """Let leases expire `seconds` from now."""
        ids = [lease_id for _, lease_id in leases]
        query = LimitLease.update(expires_at=self._now() + seconds).where(LimitLease.id.in_(ids))
        self._store.write(query.execute)

    def release(self, client: str, lease_id: str) -> None:
        """End a lease."""
        self._store.write_single(lambda db: fetch_rows(db, RELEASE_SLOT, lease_id))


class HeldLeases(Generic[Kind]):
    """The leases of one kind of this worker's answers, renewed until they are released."""

    def __init__(
        self, leases: Kind, *, lease_seconds: float = LEASE_SECONDS, renew_seconds: float = RENEW_SECONDS
    ) -> None:
        self._leases = leases
        self._lease_seconds = lease_seconds
        self._keeper = LeaseKeeper(self._renew, poll_seconds=renew_seconds, renew_seconds=renew_seconds)

    def _hold(self, client: str, take: Callable[[str], bool]) -> Callable[[], None] | None:
        """Take a lease by its new id and return the function that releases it; None if it cannot be taken."""
        lease = (client, secrets.token_hex(8))
        if not take(lease[1]):
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


class HeldSlots(HeldLeases[Leases]):
    """The slots of this worker's answers, renewed until they are released.

    For example:

        release = held.acquire("key_1", limit=2)
        release()
    """

    def acquire(self, client: str, limit: int) -> Callable[[], None] | None:
        """Take a slot and return the function that releases it; None if there is no room. Raise StoreError."""
        return self._hold(
            client, lambda lease_id: self._leases.acquire(client, lease_id, limit, self._lease_seconds)
        )
