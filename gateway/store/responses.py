"""Stored responses of the Responses API: for GET, for follow-up responses, and for responses in the background.

The worker that writes a response in the background has a lease on it. If the lease expires and the response is not
finished, the worker has died, and the response is reported as failed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import zstandard
from peewee import Value

from gateway.errors import InvalidRequest, ResponseNotFound
from gateway.store.database import Store, utc_now
from gateway.store.lease_keeper import LEASE_SECONDS
from gateway.store.models import ResponseEvents, ResponseItem, ResponseRow
from gateway.store.statements import insert_rows
from gateway.store.stored_items import ROWS_PER_QUERY, Item, find_items, is_large, read_in_parts

UNFINISHED = ("queued", "in_progress")
EVENT_END = b"\n\n"  # the end of an event in a stream; no event contains it
LOST_ERROR = {
    "code": "server_error",
    "message": "The gateway stopped while it was writing this response. Send the request again.",
}

Body = dict[str, Any]
_Lineage = list[tuple[str, str | None]]


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A stored response: the whole object, and whether it runs in the background."""

    body: Body
    is_background: bool

    @property
    def is_finished(self) -> bool:
        """Return True if the response will not change any more."""
        return self.body["status"] not in UNFINISHED


@dataclass(frozen=True, slots=True)
class EventChunk:
    """Consecutive events of a stream, as they go over the wire. The first one has the number `first_number`."""

    first_number: int
    events: Sequence[bytes]


class Responses:
    """The tables of responses and their items. Every method raises StoreError when the database fails.

    Responses that belong to another owner or have expired are treated as missing.
    """

    def __init__(self, store: Store, ttl: timedelta, lease_seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self.ttl = ttl
        self._lease = timedelta(seconds=lease_seconds)

    def add(
        self,
        owner: str,
        body: Body,
        inputs: Sequence[Item],
        *,
        is_background: bool = False,
        is_whole: bool = False,
    ) -> None:
        """Store a response with the items of its own input, without the items of the responses it follows.

        With `is_whole`, `inputs` has those items as well, because the response before this one is not stored.
        """
        now = utc_now()
        row = {
            "id": body["id"],
            "owner": owner,
            "previous_id": None if is_whole else body["previous_response_id"],
            "status": body["status"],
            "is_background": is_background,
            "body": _without_output(body),
            "created_at": now,
            "expires_at": now + self.ttl,
            "leased_until": now + self._lease if is_background else None,
        }
        items = [*_rows(owner, body["id"], inputs, False), *_rows(owner, body["id"], body["output"], True)]

        def work(db: Any) -> None:
            insert_rows(db, ResponseRow, [row])
            insert_rows(db, ResponseItem, items)

        write = self._store.write_large if is_large([*inputs, *body["output"]]) else self._store.write
        write(work)

    def update(self, owner: str, body: Body, events: EventChunk | None = None) -> bool:
        """Store the new state of a response in the background, and `events` of its stream.

        Return False if the response was cancelled or deleted.
        """
        change = {"status": body["status"], "body": _without_output(body)}
        if body["status"] in UNFINISHED:
            change["leased_until"] = utc_now() + self._lease
        items = _rows(owner, body["id"], body["output"], True)

        def work(db: Any) -> bool:
            query = ResponseRow.update(**change).where(_unfinished(owner, body["id"]))
            if events is not None:
                _insert_events(db, body["id"], events)
            if not query.execute(db):
                return False
            if body["status"] not in UNFINISHED:
                insert_rows(db, ResponseItem, items)
            return True

        return (self._store.write_large if is_large(body["output"]) else self._store.write)(work)

    def add_events(self, response_id: str, events: EventChunk) -> None:
        """Store events of the stream of a response in the background."""
        self._store.write(lambda db: _insert_events(db, response_id, events))

    def list_events(self, response_id: str, first_number: int) -> list[EventChunk]:
        """Return the stored events from `first_number` on, a number at which a chunk begins."""
        query = (
            ResponseEvents.select()
            .where(ResponseEvents.response == response_id, ResponseEvents.first_number >= first_number)
            .order_by(ResponseEvents.first_number)
        )
        return self._store.read(lambda db: [_read_chunk(row) for row in query.execute(db)])

    def renew_leases(self, response_ids: Collection[str]) -> None:
        """Extend the leases of these responses by the full time, except of those that are cancelled or deleted."""
        query = ResponseRow.update(leased_until=utc_now() + self._lease).where(_active(response_ids))
        self._store.write(lambda db: query.execute(db))

    def find_active(self, response_ids: Collection[str]) -> set[str]:
        """Return the responses that are still being written: neither cancelled nor deleted nor finished."""
        query = ResponseRow.select(ResponseRow.id).where(_active(response_ids))
        return self._store.read(lambda db: {row.id for row in query.execute(db)})

    def get(self, owner: str, response_id: str) -> StoredResponse:
        """Return the current state of a response. Raise ResponseNotFound."""
        return self._store.read(lambda db: _get(db, owner, response_id))

    def cancel(self, owner: str, response_id: str) -> StoredResponse:
        """Cancel a response in the background, unless it is finished. Return its new state.

        Raise ResponseNotFound, or InvalidRequest if it does not run in the background.
        """

        def work(db: Any) -> StoredResponse:
            stored = _get(db, owner, response_id)
            if not stored.is_background:
                problem = "Only responses with background=true can be cancelled."
                raise InvalidRequest(problem, param="response_id")
            query = ResponseRow.update(status="cancelled", leased_until=None)
            query.where(_unfinished(owner, response_id), ResponseRow.leased_until > utc_now()).execute(db)
            return _get(db, owner, response_id)

        return self._store.write(work)

    def delete(self, owner: str, response_id: str) -> None:
        """Delete a response with its items. Its worker stops writing it. Raise ResponseNotFound."""

        def work(db: Any) -> None:
            if not ResponseRow.delete().where(_own(owner, response_id)).execute(db):
                raise response_not_found(response_id)

        self._store.write(work)

    def list_chain(self, owner: str, response_id: str) -> list[Item]:
        """Return the items of a response and of all responses that it follows, the earliest first.

        Raise ResponseNotFound if any of them is missing.
        """

        lineage = self._read_lineage(owner, response_id)
        if lineage[0][1] is not None:
            raise response_not_found(lineage[0][1])
        return [row.item for row in self._read_items(owner, lineage)]

    def list_input_items(self, owner: str, response_id: str) -> list[Item]:
        """Return all items of a response's input, the earliest first. Raise ResponseNotFound."""

        rows = self._read_items(owner, self._read_lineage(owner, response_id))
        return [row.item for row in rows if not (row.is_output and row.response_id == response_id)]

    def find_items(self, owner: str, ids: Collection[str]) -> Mapping[str, Item]:
        """Return the items with these ids, by id. Missing ones are left out."""
        return find_items(self._store, ResponseItem, ResponseRow, owner, ids)

    def _read_lineage(self, owner: str, response_id: str) -> _Lineage:
        lineage = self._store.read(lambda db: _lineage(db, owner, response_id))
        if not lineage:
            raise response_not_found(response_id)
        return lineage

    def _read_items(self, owner: str, lineage: _Lineage) -> list[Any]:
        """Return the rows of all items of several responses, in the order of the responses."""
        response_ids = [known for known, _ in lineage]
        rows = read_in_parts(self._store, lambda db, after: _items(db, response_ids, after))
        if len(rows) >= ROWS_PER_QUERY and self._read_lineage(owner, response_ids[-1]) != lineage:
            raise response_not_found(response_ids[-1])  # a response was deleted between two parts
        positions = {response_id: index for index, response_id in enumerate(response_ids)}
        return sorted(rows, key=lambda row: positions[row.response_id])

    def delete_expired(self) -> int:
        """Delete expired responses and return their number. Several processes may do so at once."""
        return self._store.delete_in_batches(ResponseRow, lambda: ResponseRow.expires_at <= utc_now())


def response_not_found(response_id: str) -> ResponseNotFound:
    """Return the error for an id that does not exist."""
    return ResponseNotFound(f"There is no response with the id '{response_id[:80]}'.")


def _without_output(body: Body) -> Body:
    return {key: value for key, value in body.items() if key != "output"}


def _rows(owner: str, response_id: str, items: Sequence[Item], is_output: bool) -> list[Item]:
    common = {"response": response_id, "owner": owner, "is_output": is_output}
    return [{**common, "item_id": item["id"], "item": item} for item in items]


def _insert_events(db: Any, response_id: str, chunk: EventChunk) -> None:
    """Store events, unless the response is deleted."""
    if ResponseRow.select(ResponseRow.id).where(ResponseRow.id == response_id).first(db) is not None:
        data = zstandard.compress(EVENT_END.join(chunk.events))
        row = {"response": response_id, "first_number": chunk.first_number, "data": data}
        insert_rows(db, ResponseEvents, [row])


def _read_chunk(row: Any) -> EventChunk:
    data = zstandard.decompress(bytes(row.data))
    return EventChunk(row.first_number, data.split(EVENT_END))


def _own(owner: str, response_id: str) -> Any:
    is_own = (ResponseRow.id == response_id) & (ResponseRow.owner == owner)
    return is_own & (ResponseRow.expires_at > utc_now())


def _unfinished(owner: str, response_id: str) -> Any:
    return _own(owner, response_id) & ResponseRow.status.in_(UNFINISHED)


def _active(response_ids: Collection[str]) -> Any:
    return ResponseRow.id.in_(list(response_ids)) & ResponseRow.status.in_(UNFINISHED)


def _items(db: Any, response_ids: Sequence[str], after: int) -> list[Any]:
    """Return the first rows of items of several responses, in the order of their ids, which are larger than `after`."""
    response_id = ResponseItem.response.alias("response_id")
    query = ResponseItem.select(ResponseItem.id, response_id, ResponseItem.is_output, ResponseItem.item)
    query = query.where(ResponseItem.response.in_(response_ids), ResponseItem.id > after)
    return list(query.order_by(ResponseItem.id).limit(ROWS_PER_QUERY).namedtuples().execute(db))


def _get(db: Any, owner: str, response_id: str) -> StoredResponse:
    row = ResponseRow.select().where(_own(owner, response_id)).first(db)
    if row is None:
        raise response_not_found(response_id)
    body = {**row.body, "status": row.status, "output": []}
    if row.status in UNFINISHED and row.leased_until <= utc_now():
        body |= {"status": "failed", "error": LOST_ERROR}
    query = ResponseItem.select(ResponseItem.item).where(
        ResponseItem.response == response_id, ResponseItem.is_output
    )
    body["output"] = [found.item for found in query.order_by(ResponseItem.id).execute(db)]
    return StoredResponse(body, row.is_background)


def _lineage(db: Any, owner: str, response_id: str) -> _Lineage:
    """Return pairs of a response's id and the id it follows, for the response and all before it, the earliest first."""
    base = (
        ResponseRow.select(ResponseRow.id, ResponseRow.previous_id, Value(0).alias("depth"))
        .where(_own(owner, response_id))
        .cte("lineage", recursive=True, columns=("id", "previous_id", "depth"))
    )
    earlier = ResponseRow.alias()
    step = (
        earlier.select(earlier.id, earlier.previous_id, base.c.depth + 1)
        .join(base, on=(earlier.id == base.c.previous_id))
        .where(earlier.owner == owner, earlier.expires_at > utc_now())
    )
    lineage = base.union_all(step)
    query = lineage.select_from(lineage.c.id, lineage.c.previous_id).order_by(lineage.c.depth.desc())
    return [(str(known), previous) for known, previous in query.tuples().execute(db)]
