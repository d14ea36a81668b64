"""The usage of every answer: one row each, sums over them, and the writer that stores them in the background."""

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from peewee import Case, fn

from gateway.errors import StoreError
from gateway.record import GroupBy, Record
from gateway.store import keys
from gateway.store.database import Store
from gateway.store.models import UsageRow
from gateway.store.statements import insert_rows
from gateway.usage import COUNTS

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.1  # a busy worker writes many records at once
BATCH_SIZE = 50  # takes 7 ms, in which no other greenlet runs
MAX_WAITING = 50_000  # about 50 MB
CLOSE_SECONDS = 2.0  # the longest wait for a write that is running when the worker ends
PAUSES = (0.5, 1.0, 2.0, 5.0)  # seconds after the first, second … failure in a row

COLUMNS: dict[str, Any] = {
    "day": UsageRow.day,
    "key": UsageRow.key_id,
    "model": UsageRow.model,
    "project": UsageRow.project_id,
    "account": UsageRow.account,
}
_COUNTS = tuple(name for name in COUNTS if name in UsageRow._meta.fields)


@dataclass(frozen=True, slots=True)
class UsageFigures:
    """Sums over answers.

    `requests` counts all answers, `failed` and `cut` (the client left) some of them. `input_tokens` excludes cached
    tokens, and `output_tokens` includes thinking, as in the Messages API. `web_searches` and `web_fetches` count calls
    of hosted tools. `cost` is in USD.

    >>> UsageFigures(input_tokens=3, cache_read_tokens=7, output_tokens=2).total_tokens
    12
    """

    requests: int = 0
    failed: int = 0
    cut: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    web_searches: int = 0
    web_fetches: int = 0
    cost: float = 0.0

    @property
    def total_tokens(self) -> int:
        """Return all tokens that were read or written."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens + self.output_tokens

    def as_json(self) -> dict[str, Any]:
        """Return the sums as the API shows them."""
        return asdict(self) | {"total_tokens": self.total_tokens}


@dataclass(frozen=True, slots=True)
class UsageGroup:
    """The figures of one day, key, model, project or account.

    `name` is None for answers without one. `key_name` is given for keys only.
    """

    name: str | None
    key_name: str | None
    figures: UsageFigures


class UsageTable:
    """The table of usage. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add_records(self, records: Sequence[Record]) -> None:
        """Add a row per record, and add to the sums of their keys, in one transaction."""
        rows = [_row(record) for record in records]

        def work(db: Any) -> None:
            insert_rows(db, UsageRow, rows)
            for key_id in {record.key_id for record in records if record.key_id is not None}:
                keys.add_key_usage(db, key_id, [record for record in records if record.key_id == key_id])

        self._store.write(work)

    def sum_by(self, by: GroupBy, first: date, last: date, key_id: str | None = None) -> list[UsageGroup]:
        """Return the sums of answers that began from `first` to `last` (UTC, both included), of one key or of all.

        Days are sorted newest first, all other groups by cost, highest first.
        """
        column = COLUMNS[by]
        query = (
            UsageRow.select(
                column.alias("name"), fn.MAX(UsageRow.key_name).alias("key_name"), *figure_columns()
            )
            .where(
                UsageRow.created_at >= _midnight(first),
                UsageRow.created_at < _midnight(last + timedelta(days=1)),
            )
            .group_by(column)
        )
        if key_id is not None:
            query = query.where(UsageRow.key_id == key_id)
        found = [read_group(row, by) for row in self._store.read(lambda db: list(query.dicts().execute(db)))]
        found.sort(key=lambda group: group.name or "")
        if by == "day":
            found.reverse()
        else:
            found.sort(key=lambda group: (group.figures.cost, group.figures.requests), reverse=True)
        return found

    def list_failures(self, limit: int = 50) -> list[UsageRow]:
        """Return the rows of the latest answers that failed, the newest first."""
        failed = UsageRow.select().where(UsageRow.outcome == "failed")
        query = failed.order_by(UsageRow.created_at.desc(), UsageRow.id.desc()).limit(limit)
        return self._store.read(lambda db: list(query.execute(db)))


def sum_figures(groups: Iterable[UsageGroup]) -> UsageFigures:
    """Return the sums over all groups."""
    rows = [asdict(group.figures) for group in groups]
    names = UsageFigures.__dataclass_fields__
    return UsageFigures(**{name: sum(row[name] for row in rows) for name in names})


def figure_columns() -> list[Any]:
    """Return the columns of a query that sums up answers, for `read_figures`."""

    def count(outcome: str) -> Any:
        return fn.SUM(Case(None, [(UsageRow.outcome == outcome, 1)], 0))

    sums: dict[str, Any] = {"requests": fn.COUNT(UsageRow.id), "failed": count("failed"), "cut": count("cut")}
    sums |= {name: fn.SUM(getattr(UsageRow, name)) for name in (*_COUNTS, "cost")}
    return [value.alias(name) for name, value in sums.items()]


def read_figures(row: dict[str, Any]) -> UsageFigures:
    """Return the sums in a row of `figure_columns`. PostgreSQL returns sums as decimals."""
    cost = float(row.pop("cost"))
    return UsageFigures(**{name: int(total) for name, total in row.items()}, cost=cost)


def read_group(row: dict[str, Any], by: GroupBy) -> UsageGroup:
    """Return the group in a row that also has `name` and `key_name`."""
    name, key_name = row.pop("name"), row.pop("key_name")
    return UsageGroup(name, key_name if by == "key" else None, read_figures(row))


def _row(record: Record) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in UsageRow._meta.fields if hasattr(record, name)}
    row |= {name: getattr(record.usage, name) for name in _COUNTS}
    return row | {
        "cost": record.usage.cost_usd or 0.0,
        "created_at": record.started_at,
        "day": f"{record.started_at.astimezone(timezone.utc):%Y-%m-%d}",
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), timezone.utc)


class UsageWriter:
    """A queue of records, and the greenlet that writes them to the database. It starts with the first record.

    If the database fails, up to `max_waiting` records wait for the next attempt. Records that are lost (the oldest when
    too many wait, or the ones still waiting at the end) are logged with their figures.
    """

    def __init__(
        self, usage: UsageTable, *, max_waiting: int = MAX_WAITING, pauses: tuple[float, ...] = PAUSES
    ) -> None:
        self._usage = usage
        self._max_waiting = max_waiting
        self._pauses = pauses
        self._waiting: deque[Record] = deque()
        self._has_records = Event()
        self._is_free = BoundedSemaphore()
        self._failures = 0
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, record: Record) -> None:
        """Queue a record. This neither waits nor raises."""
        if len(self._waiting) >= self._max_waiting:
            _log_lost(self._waiting.popleft())
        self._waiting.append(record)
        self._has_records.set()
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._write_forever)

    def close(self) -> None:
        """Write the waiting records. Records that cannot be written are logged.

        A write that is running is not interrupted: if its commit was on its way, its records would be written twice.
        """
        is_free = self._is_free.acquire(timeout=CLOSE_SECONDS)
        if self._greenlet is not None:
            self._greenlet.kill()
        if is_free:
            self._is_free.release()
        try:
            self.flush()
        except Exception:
            log.exception("usage could not be written at shutdown")
            while self._waiting:
                _log_lost(self._waiting.popleft())

    def flush(self) -> None:
        """Write the waiting records now. If the database fails, raise its error; the records keep waiting."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH_SIZE, len(self._waiting)))]
            try:
                with self._is_free:
                    self._usage.add_records(batch)
            except BaseException:  # also when the greenlet is killed while it waits for the lock
                self._waiting.extendleft(reversed(batch))
                raise
            gevent.sleep(0)

    def _write_forever(self) -> None:
        while True:
            self._has_records.wait()
            gevent.sleep(GATHER_SECONDS)
            self._has_records.clear()
            while not self._flush_quietly():
                gevent.sleep(self._pauses[min(self._failures, len(self._pauses)) - 1])

    def _flush_quietly(self) -> bool:
        try:
            self.flush()
        except StoreError as error:
            self._log_failure(error)
        except Exception as error:
            if not self._failures:
                log.exception("usage cannot be written because of an unexpected error")
            self._log_failure(error)
        else:
            if self._failures:
                log.warning("usage can be written again")
                self._failures = 0
        return not self._failures

    def _log_failure(self, error: Exception) -> None:
        if not self._failures:
            log.error(
                "usage cannot be written; records wait for the next attempt: %s", error.__cause__ or error
            )
        self._failures += 1


def _log_lost(record: Record) -> None:
    log.error("the usage of an answer could not be stored", extra=_figures(record))


def _figures(record: Record) -> dict[str, Any]:
    figures = asdict(record)
    figures["started_at"] = record.started_at.isoformat()
    figures |= figures.pop("usage")
    for name in ("reason", "times", "began_at", "is_over"):  # the reason may quote the request
        del figures[name]
    return figures
