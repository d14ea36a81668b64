"""The list of requests: one row per request for an answer, and a bounded number of rows for refused ones.

Rows are deleted after a time, unlike usage, which is never deleted. For example, the slow answers of a key:

    page = table.list_page(RequestQuery(key_id="key_1", min_seconds=30, limit=20))
    more = table.list_page(RequestQuery(key_id="key_1", min_seconds=30, limit=20, cursor=page.next_cursor))
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.store.admin_models import RequestBody, RequestRow
from gateway.store.database import Store, utc_now
from gateway.store.statements import insert_rows

TAIL_LIMIT = 200


@dataclass(frozen=True, slots=True)
class RequestQuery:
    """The rows to list; by default, the latest of all. None stands for all values.

    `status` is a status or a class such as "4xx". `words` are a part of an id, a name, a path or a reason. `has_error`
    selects failed and refused requests. `cursor` continues a list behind a row.
    """

    limit: int = 50
    cursor: str | None = None
    owner: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    key_id: str | None = None
    model: str | None = None
    dialect: str | None = None
    account: str | None = None
    project_id: str | None = None
    session_id: str | None = None
    status: str | None = None
    outcome: str | None = None
    code: str | None = None
    process: str | None = None
    repaired: str | None = None
    min_seconds: float | None = None
    has_error: bool | None = None
    words: str | None = None


@dataclass(frozen=True, slots=True)
class RequestPage:
    """A page of rows, the newest first. `next_cursor` is None at the end."""

    rows: Sequence[RequestRow]
    next_cursor: str | None


class RequestTable:
    """The tables of requests and of their bodies. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, rows: Sequence[Mapping[str, Any]], bodies: Sequence[Mapping[str, Any]] = ()) -> None:
        """Add rows, and the bodies that they refer to, in one transaction."""

        def work(db: Any) -> None:
            insert_rows(db, RequestRow, rows)
            if bodies:
                RequestBody.insert_many(bodies).execute(db)

        self._store.write(work)

    def list_page(self, query: RequestQuery) -> RequestPage:
        """Return the rows that match, the newest first. A search over many rows does not block other requests."""
        found = _select(query).order_by(RequestRow.created_at.desc(), RequestRow.id.desc())
        rows = self._store.read_large(lambda db: list(found.limit(query.limit + 1).execute(db)))
        page = rows[: query.limit]
        return RequestPage(page, _cursor(page[-1]) if len(rows) > query.limit else None)

    def list_after(self, row_id: int, query: RequestQuery) -> list[RequestRow]:
        """Return the rows that match and were written after a row, the oldest first."""
        found = _select(query).where(RequestRow.id > row_id).order_by(RequestRow.id)
        return self._store.read(lambda db: list(found.limit(TAIL_LIMIT).execute(db)))

    def find_last_id(self) -> int:
        """Return the id of the row that was written last; 0 if the list is empty."""
        last = RequestRow.select(RequestRow.id).order_by(RequestRow.id.desc())
        row = self._store.read(last.first)
        return row.id if row else 0

    def find(self, given: str, owner: str | None = None) -> RequestRow | None:
        """Return a row by its own id, or the latest one by the id of its request. With `owner`, only that owner's."""
        is_given = RequestRow.request_id == given
        if given.isascii() and given.isdigit() and len(given) < 16:
            is_given |= RequestRow.id == int(given)
        found = RequestRow.select().where(is_given).order_by(RequestRow.id.desc())
        if owner is not None:
            found = found.where(RequestRow.owner == owner)
        row: RequestRow | None = self._store.read(found.first)
        return row

    def find_bodies(self, row: RequestRow) -> RequestBody | None:
        """Return the bodies of a request; None if they were not kept, or are deleted."""
        query = RequestBody.select().where(RequestBody.id == row.body_id)
        return self._store.read(query.first) if row.body_id else None

    def delete_old(self, days: float, max_rows: int) -> int:
        """Delete rows that are older than `days`, and the oldest of more than `max_rows`. Return their number."""
        limit = utc_now() - timedelta(days=days)
        beyond = RequestRow.select(RequestRow.id).order_by(RequestRow.id.desc()).offset(max_rows)
        row = self._store.read(beyond.first)
        last = row.id if row else 0
        return self._store.delete_in_batches(
            RequestRow, lambda: (RequestRow.created_at < limit) | (RequestRow.id <= last)
        )

    def delete_old_bodies(self, days: float) -> int:
        """Delete bodies that are older than `days`. Return the number of requests that they belong to."""
        limit = utc_now() - timedelta(days=days)
        return self._store.delete_in_batches(RequestBody, lambda: RequestBody.created_at < limit)


def _select(query: RequestQuery) -> Any:
    found = RequestRow.select()
    for condition in (*_equalities(query), *_comparisons(query)):
        found = found.where(condition)
    return found


def _equalities(query: RequestQuery) -> list[Any]:
    names = ("owner", "key_id", "model", "dialect", "account", "project_id", "session_id")
    values = {name: getattr(query, name) for name in (*names, "outcome", "code", "process")}
    return [getattr(RequestRow, name) == value for name, value in values.items() if value is not None]


def _comparisons(query: RequestQuery) -> list[Any]:
    found: list[Any] = []
    if query.since is not None:
        found.append(RequestRow.created_at >= query.since)
    if query.until is not None:
        found.append(RequestRow.created_at < query.until)
    if query.min_seconds is not None:
        found.append(RequestRow.seconds >= query.min_seconds)
    if query.has_error is not None:
        is_good = RequestRow.outcome.in_(("complete", "cut"))
        found.append(~is_good if query.has_error else is_good)
    if query.repaired is not None:
        found.append(RequestRow.repaired.contains(f",{query.repaired},"))
    if query.status is not None:
        low = int(query.status.replace("x", "0"))
        found.append(RequestRow.status.between(low, low + (99 if "x" in query.status else 0)))
    return [*found, *_conditions_of_words(query), *_conditions_of_cursor(query)]


def _conditions_of_words(query: RequestQuery) -> list[Any]:
    if not query.words:
        return []
    columns = (
        RequestRow.request_id,
        RequestRow.key_name,
        RequestRow.path,
        RequestRow.reason,
        RequestRow.model,
    )
    is_found = columns[0].contains(query.words)
    for column in columns[1:]:
        is_found |= column.contains(query.words)
    return [is_found]


def _conditions_of_cursor(query: RequestQuery) -> list[Any]:
    if query.cursor is None:
        return []
    moment, _, row_id = query.cursor.partition("_")
    created_at = float(moment)
    is_older = RequestRow.created_at < created_at
    return [is_older | ((RequestRow.created_at == created_at) & (RequestRow.id < int(row_id)))]


def _cursor(row: RequestRow) -> str:
    return f"{row.created_at.timestamp()!r}_{row.id}"
