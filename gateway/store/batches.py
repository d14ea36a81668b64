"""Batches of requests. Their requests are in `batch_items`.

Any worker may validate or finish a batch, and holds a lease on the batch while it does. A batch changes its status only
under such a lease, except when its owner cancels or deletes it.

    validating → in_progress → finalizing → completed, or expired if some items were not answered in time
        ↓ failed      ↓
                  cancelling → cancelled
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from gateway.errors import BatchNotActive, BatchNotFound, LimitReached
from gateway.store.database import Store, utc_now
from gateway.store.lease_keeper import LEASE_SECONDS
from gateway.store.models import BatchRow

Kind = Literal["openai", "anthropic"]

#: Prefixes of the ids, by kind.
PREFIXES: Mapping[Kind, str] = {"openai": "batch", "anthropic": "msgbatch"}

VALIDATING, IN_PROGRESS, FINALIZING, CANCELLING = "validating", "in_progress", "finalizing", "cancelling"
COMPLETED, FAILED, EXPIRED, CANCELLED = "completed", "failed", "expired", "cancelled"
OPEN = (VALIDATING, IN_PROGRESS, FINALIZING, CANCELLING)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch; by default, a new one. `BatchRow` describes the fields."""

    id: str
    owner: str
    kind: Kind
    endpoint: str
    expires_at: datetime
    status: str = VALIDATING
    completion_window: str = "24h"
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    output_seconds: int | None = None
    metadata: dict[str, Any] | None = None
    errors: list[dict[str, Any]] | None = None
    model: str | None = None
    key_id: str | None = None
    address: str = ""
    client: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    created_at: datetime = field(default_factory=utc_now)
    in_progress_at: datetime | None = None
    finalizing_at: datetime | None = None
    cancelling_at: datetime | None = None
    ended_at: datetime | None = None
    waiting: dict[str, Any] | None = None
    waits_until: datetime | None = None
    total: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0

    @property
    def done(self) -> int:
        """Return the number of items that have a result."""
        return self.succeeded + self.errored + self.canceled + self.expired

    @property
    def is_overdue(self) -> bool:
        """Return True if the time for its answers is over."""
        return self.expires_at <= utc_now()

    @property
    def current_waiting(self) -> dict[str, Any] | None:
        """Return why no item runs now; None if items may run."""
        if self.status != IN_PROGRESS or self.waits_until is None or self.waits_until <= utc_now():
            return None
        return self.waiting


@dataclass(frozen=True, slots=True)
class BatchPage:
    """A page of a list, and whether there is more behind it."""

    batches: Sequence[Batch]
    has_more: bool


def new_batch_id(kind: Kind) -> str:
    """Return an id for a new batch."""
    return f"{PREFIXES[kind]}_{secrets.token_hex(16)}"


class Batches:
    """The table of batches. Every method raises StoreError when the database fails.

    Batches of another owner or of another kind are treated as missing.
    """

    def __init__(self, store: Store, lease_seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._lease = timedelta(seconds=lease_seconds)

    def add(self, batch: Batch, most_open: int, lease_id: str | None = None) -> None:
        """Insert a batch. With `lease_id`, its creator holds the lease on it.

        Raises LimitReached if `most_open` batches of the owner are not over yet (0: no limit).
        """
        row = {name: getattr(batch, name) for name in Batch.__dataclass_fields__}
        if lease_id is not None:
            row |= {"lease_id": lease_id, "leased_until": utc_now() + self._lease}

        def work(db: Any) -> None:
            is_open = (BatchRow.owner == batch.owner) & BatchRow.status.in_(OPEN)
            if most_open and BatchRow.select().where(is_open).count(db) >= most_open:
                raise LimitReached(
                    f"At most {most_open} batches may be in progress at once. Wait until one of them ends.",
                    should_retry=False,
                )
            BatchRow.insert(**row).execute(db)

        self._store.write(work)

    def get(self, owner: str, kind: Kind, batch_id: str) -> Batch:
        """Return a batch. Raises BatchNotFound."""
        return self._store.read(lambda db: _get(db, owner, kind, batch_id))

    def list_page(
        self, owner: str, kind: Kind, limit: int, after: str | None = None, before: str | None = None
    ) -> BatchPage:
        """Return up to `limit` batches, the newest first, from behind `after` or up to `before`.

        Raises BatchNotFound if there is no batch `after` or `before`.
        """
        order = (BatchRow.created_at, BatchRow.id)

        def work(db: Any) -> BatchPage:
            query = BatchRow.select().where(BatchRow.owner == owner, BatchRow.kind == kind)
            if after is not None:
                query = query.where(_is_before(_get(db, owner, kind, after)))
            if before is not None:
                query = query.where(~_is_before(_get(db, owner, kind, before)), BatchRow.id != before)
            columns = order if before is not None else [column.desc() for column in order]
            found = [_batch(row) for row in query.order_by(*columns).limit(limit + 1).execute(db)]
            page = found[:limit]
            return BatchPage(page[::-1] if before is not None else page, len(found) > limit)

        return self._store.read(work)

    def cancel(self, owner: str, kind: Kind, batch_id: str) -> Batch:
        """Begin to cancel a batch, and return it. Canceling again has no effect.

        Raises BatchNotFound, and BatchNotActive if it is over.
        """

        def work(db: Any) -> Batch:
            batch = _get(db, owner, kind, batch_id)
            if batch.status == CANCELLING:
                return batch
            if batch.status not in (VALIDATING, IN_PROGRESS):
                raise BatchNotActive(f"Cannot cancel a batch with status '{batch.status}'.")
            change = {"status": CANCELLING, "cancelling_at": utc_now()}
            BatchRow.update(**change).where(BatchRow.id == batch_id).execute(db)
            return _get(db, owner, kind, batch_id)

        return self._store.write(work)

    def delete(self, batch: Batch) -> None:
        """Delete a batch, whose items must be gone."""
        self._store.write(BatchRow.delete().where(BatchRow.id == batch.id).execute)

    # For workers

    def list_open(self) -> list[Batch]:
        """Return all batches that are not over, the oldest first."""
        query = BatchRow.select().where(BatchRow.status.in_(OPEN)).order_by(BatchRow.created_at)
        return self._store.read(lambda db: [_batch(row) for row in query.execute(db)])

    def take_lease(self, batch: Batch, lease_id: str) -> bool:
        """Take the lease on a batch, if it is free and the batch still has this status. Return whether it was."""
        is_free = BatchRow.leased_until.is_null() | (BatchRow.leased_until <= utc_now())
        query = BatchRow.update(lease_id=lease_id, leased_until=utc_now() + self._lease)
        query = query.where(BatchRow.id == batch.id, BatchRow.status == batch.status, is_free)
        return bool(self._store.write(query.execute))

    def renew_leases(self, leases: Collection[str]) -> None:
        """Extend these leases on batches by the full time."""
        query = BatchRow.update(leased_until=utc_now() + self._lease).where(BatchRow.lease_id.in_([*leases]))
        self._store.write(query.execute)

    def release_lease(self, lease_id: str) -> None:
        """Give up a lease on a batch, if it is still held."""
        query = BatchRow.update(lease_id=None, leased_until=None).where(BatchRow.lease_id == lease_id)
        self._store.write(query.execute)

    def change(self, lease_id: str, statuses: Collection[str], **changes: Any) -> bool:
        """Change the batch with this lease, if it has one of these statuses. Return whether it was changed."""
        is_held = (BatchRow.lease_id == lease_id) & BatchRow.status.in_([*statuses])
        return bool(self._store.write(BatchRow.update(**changes).where(is_held).execute))

    def wait(self, batch_id: str, seconds: float, waiting: dict[str, Any]) -> None:
        """Start no items of a batch for `seconds`. `waiting` says why."""
        change = {"waits_until": utc_now() + timedelta(seconds=seconds), "waiting": waiting}
        query = BatchRow.update(**change).where(BatchRow.id == batch_id, BatchRow.status == IN_PROGRESS)
        self._store.write(query.execute)

    def delete_ended(self, ended_before: datetime) -> int:
        """Delete batches that ended before a time. Return their number. Several processes may do so at once."""
        return self._store.delete_in_batches(BatchRow, lambda: BatchRow.ended_at <= ended_before)


def _get(db: Any, owner: str, kind: Kind, batch_id: str) -> Batch:
    is_own = (BatchRow.id == batch_id) & (BatchRow.owner == owner) & (BatchRow.kind == kind)
    row = BatchRow.select().where(is_own).first(db)
    if row is None:
        raise BatchNotFound(f"There is no batch with the id '{batch_id[:80]}'.")
    return _batch(row)


def _is_before(batch: Batch) -> Any:
    """Return the SQL condition for batches that were created before this one."""
    is_same_time = (BatchRow.created_at == batch.created_at) & (BatchRow.id < batch.id)
    return (BatchRow.created_at < batch.created_at) | is_same_time


def _batch(row: Any) -> Batch:
    return Batch(**{name: getattr(row, name) for name in Batch.__dataclass_fields__})
