"""Reservations: the parts of their client's budgets that running answers may need, across all workers.

The cost of an answer is known when it is over. Until then an estimate is reserved, so that requests which arrive
together cannot all be admitted by the same last cent. A reservation is a lease: if its worker is killed, it expires.

For example:

    cap = Cap("usd/day/2026-05-04T00:00/key_1", "usd", 1_000_000)  # a dollar per day
    end = held.reserve("key_1", Amounts(tokens=4_100, usd=61_500), [cap])  # None if nothing is left
    end()
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gateway.store.database import Store
from gateway.store.limits.leases import HeldLeases
from gateway.store.models import LimitReservation
from gateway.store.statements import (
    COUNT,
    DROP_OLD_RESERVATIONS,
    END_RESERVATION,
    RESERVE,
    RESERVED,
    execute,
    fetch_rows,
)

Unit = Literal["tokens", "usd"]


@dataclass(frozen=True, slots=True)
class Amounts:
    """Tokens and millionths of a dollar."""

    tokens: int
    usd: int


@dataclass(frozen=True, slots=True)
class Cap:
    """A budget: the key of its counter, what it counts, and the count at which it is used up."""

    key: str
    unit: Unit
    limit: int


class Reservations(Protocol):
    """A storage of reservations. Each is identified by its client and its id. Every method may raise StoreError."""

    def reserve(
        self, client: str, reservation_id: str, amounts: Amounts, caps: Sequence[Cap], seconds: float
    ) -> bool:
        """Reserve `amounts` for `seconds` if all caps have something left. Return whether they had.

        The count of a cap and everything that is reserved are not left.
        """

    def renew(self, leases: Collection[tuple[str, str]], seconds: float) -> None:
        """Let reservations expire `seconds` from now."""

    def release(self, client: str, lease_id: str) -> None:
        """End a reservation. One that is over already is ignored."""


class DatabaseReservations:
    """Reservations in the database, beside the counters."""

    def __init__(self, store: Store, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now

    def reserve(
        self, client: str, reservation_id: str, amounts: Amounts, caps: Sequence[Cap], seconds: float
    ) -> bool:
        """Reserve `amounts` if all caps have something left. One transaction looks and reserves."""
        now = self._now()
        row = (reservation_id, client, amounts.tokens, amounts.usd, now + seconds)

        def work(db: Any) -> bool:
            execute(db, DROP_OLD_RESERVATIONS, client, now)
            ((tokens, usd),) = fetch_rows(db, RESERVED, client)
            reserved = {"tokens": int(tokens), "usd": int(usd)}
            for cap in caps:
                counts = fetch_rows(db, COUNT, cap.key, now)
                if reserved[cap.unit] + (counts[0][0] if counts else 0) >= cap.limit:
                    return False
            execute(db, RESERVE, *row)
            return True

        return self._store.write(work)

    def renew(self, leases: Collection[tuple[str, str]], seconds: float) -> None:
        """Let reservations expire `seconds` from now."""
        ids = [reservation_id for _, reservation_id in leases]
        change = LimitReservation.update(expires_at=self._now() + seconds)
        self._store.write(change.where(LimitReservation.id.in_(ids)).execute)

    def release(self, client: str, lease_id: str) -> None:
        """End a reservation."""
        self._store.write_single(lambda db: execute(db, END_RESERVATION, lease_id))


class HeldReservations(HeldLeases[Reservations]):
    """The reservations of this worker's answers, renewed until they are ended."""

    def reserve(self, client: str, amounts: Amounts, caps: Sequence[Cap]) -> Callable[[], None] | None:
        """Reserve and return the function that ends the reservation; None if nothing is left. Raise StoreError."""
        return self._hold(
            client,
            lambda lease_id: self._leases.reserve(client, lease_id, amounts, caps, self._lease_seconds),
        )
