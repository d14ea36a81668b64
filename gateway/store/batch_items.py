"""The requests of batches, and their results.

A worker that answers an item has a lease on it. The result is recorded under this lease only, and only once: a worker
that was believed dead cannot overwrite the result of its successor.
"""

import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from peewee import Case

from gateway.store.batches import IN_PROGRESS, VALIDATING
from gateway.store.database import DELETE_BATCH, Store, utc_now
from gateway.store.lease_keeper import LEASE_SECONDS
from gateway.store.models import BatchItem, BatchRow
from gateway.store.statements import insert_rows
from gateway.turn import Usage

Outcome = Literal["succeeded", "errored", "canceled", "expired"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class ClaimedItem:
    """An item that this worker answers. `tries` counts the failed attempts before."""

    id: int
    batch_id: str
    custom_id: str
    body: str
    tries: int
    lease_id: str


@dataclass(frozen=True, slots=True)
class ItemResult:
    """The result of an item. `line` is its line in the results; None for an item that was not answered."""

    id: int
    custom_id: str
    outcome: Outcome
    line: str | None


class BatchItems:
    """The table of items. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store, lease_seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._seconds = lease_seconds

    def add(self, lease_id: str, batch_id: str, requests: Sequence[tuple[str, str]]) -> bool:
        """Add pairs of a custom id and a body to a batch, whose lease the caller holds.

        Return False if the lease was lost, or the batch is not being validated any more.
        """
        rows = [{"batch": batch_id, "custom_id": name, "body": body} for name, body in requests]
        is_held = (BatchRow.lease_id == lease_id) & (BatchRow.status == VALIDATING)

        def work(db: Any) -> bool:
            if not BatchRow.select().where(BatchRow.id == batch_id, is_held).exists(db):
                return False
            insert_rows(db, BatchItem, rows)
            return True

        return self._store.write(work)

    def delete_of_batches(self, ended_before: datetime) -> int:
        """Delete the items of batches that ended before a time. Return their number."""
        old = BatchRow.select(BatchRow.id).where(BatchRow.ended_at <= ended_before)
        return self._store.delete_in_batches(BatchItem, lambda: BatchItem.batch.in_(old))

    def delete_all(self, batch_id: str) -> None:
        """Delete the items of a batch, in slices so that other writers can proceed."""
        self._store.delete_in_batches(BatchItem, lambda: BatchItem.batch == batch_id)

    def claim(self, batch_id: str) -> ClaimedItem | None:
        """Take the next item of a batch, if the batch is in progress and has one to answer."""
        now = time.time()
        lease_id = secrets.token_hex(16)
        runs = (BatchRow.id == batch_id) & (BatchRow.status == IN_PROGRESS) & (BatchRow.expires_at > now)
        free = _is_open(batch_id) & (BatchItem.available_at <= now)
        following = BatchItem.select(BatchItem.id).where(free).order_by(BatchItem.id).limit(1)
        lost = Case(None, [(BatchItem.lease_id.is_null(), 0)], 1)  # the worker that had it has died
        query = BatchItem.update(
            lease_id=lease_id, available_at=now + self._seconds, tries=BatchItem.tries + lost
        )
        query = query.where(BatchItem.id.in_(following)).returning(BatchItem)

        def work(db: Any) -> ClaimedItem | None:
            if not BatchRow.select().where(runs).exists(db):
                return None
            for row in query.execute(db):
                return ClaimedItem(row.id, batch_id, row.custom_id, row.body, row.tries, lease_id)
            return None

        return self._store.write(work)

    def renew_leases(self, leases: Collection[str]) -> None:
        """Extend the leases of these items by the full time."""
        query = BatchItem.update(available_at=time.time() + self._seconds)
        self._store.write(query.where(_is_held(leases)).execute)

    def find_active(self, leases: Collection[str]) -> set[str]:
        """Return the leases that are still held, on items of batches that are still in progress."""
        query = BatchItem.select(BatchItem.lease_id).join(BatchRow)
        query = query.where(_is_held(leases), BatchRow.status == IN_PROGRESS, BatchRow.expires_at > utc_now())
        return self._store.read(lambda db: {row.lease_id for row in query.execute(db)})

    def record(self, item: ClaimedItem, outcome: Outcome, line: str | None, usage: Usage) -> bool:
        """Record the result of an item, and count it in its batch. Return False if the lease was lost."""
        change = {"outcome": outcome, "result": line, "body": "", "lease_id": None}
        query = BatchItem.update(**change).where(BatchItem.id == item.id, _is_held([item.lease_id]))
        totals = {
            outcome: getattr(BatchRow, outcome) + 1,
            "input_tokens": BatchRow.input_tokens + usage.total_tokens - usage.output_tokens,
            "cached_tokens": BatchRow.cached_tokens + usage.cache_read_tokens,
            "output_tokens": BatchRow.output_tokens + usage.output_tokens,
            "thinking_tokens": BatchRow.thinking_tokens + usage.thinking_tokens,
        }
        if outcome == "succeeded":
            totals |= {"waiting": None, "waits_until": None}

        def work(db: Any) -> bool:
            if not query.execute(db):
                return False
            BatchRow.update(**totals).where(BatchRow.id == item.batch_id).execute(db)
            return True

        return self._store.write(work)

    def give_back(self, leases: Collection[str], seconds: float = 0.0, *, is_failed: bool = False) -> None:
        """End these leases without a result. The items may be taken again in `seconds`.

        With `is_failed`, the attempt counts.
        """
        change = {"lease_id": None, "available_at": time.time() + seconds}
        query = BatchItem.update(**change, tries=BatchItem.tries + int(is_failed)).where(_is_held(leases))
        self._store.write(query.execute)

    def end_open(self, batch_id: str, outcome: Outcome) -> int:
        """Give the next slice of unanswered items, which no worker is answering, this outcome. Return their number."""
        free = _is_open(batch_id) & (BatchItem.lease_id.is_null() | (BatchItem.available_at <= time.time()))
        following = BatchItem.select(BatchItem.id).where(free).limit(DELETE_BATCH)
        query = BatchItem.update(outcome=outcome, body="", lease_id=None).where(BatchItem.id.in_(following))

        def work(db: Any) -> int:
            count = int(query.execute(db))
            totals = {outcome: getattr(BatchRow, outcome) + count}
            BatchRow.update(**totals).where(BatchRow.id == batch_id).execute(db)
            return count

        return self._store.write(work)

    def list_results(self, batch_id: str, after: int, limit: int) -> list[ItemResult]:
        """Return up to `limit` results with ids above `after`, in the order of the requests."""
        columns = (BatchItem.id, BatchItem.custom_id, BatchItem.outcome, BatchItem.result)
        query = BatchItem.select(*columns).where(
            BatchItem.batch == batch_id, BatchItem.id > after, BatchItem.outcome.is_null(False)
        )
        query = query.order_by(BatchItem.id).limit(limit).tuples()
        return self._store.read(lambda db: [ItemResult(*row) for row in query.execute(db)])


def _is_open(batch_id: str) -> Any:
    return (BatchItem.batch == batch_id) & BatchItem.outcome.is_null()


def _is_held(leases: Collection[str]) -> Any:
    return BatchItem.lease_id.in_([*leases]) & BatchItem.outcome.is_null()
