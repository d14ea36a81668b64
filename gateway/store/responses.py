"""Responses that are kept: for GET, for the responses that follow them, and for those written in the background.

A response in the background is somebody's as long as the lease is renewed. Once that ends without a result its
worker is gone, and the response reads as failed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from peewee import Value

from gateway.errors import InvalidRequest, ResponseNotFound
from gateway.store.clock import utc_now
from gateway.store.database import Store
from gateway.store.lease_keeper import LEASE_SECONDS
from gateway.store.models import ResponseItem, ResponseRow

ASKED_AT_ONCE = 500  # databases limit the values in one query
UNFINISHED = ("queued", "in_progress")
LOST = {"code": "server_error", "message": "The gateway was stopped while it wrote this response."}

Item = dict[str, Any]
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A stored response: the whole object, and whether it was asked for in the background."""

    body: Body
    is_background: bool

    @property
    def is_finished(self) -> bool:
        """Whether it changes no more."""
        return self.body["status"] not in UNFINISHED


class Responses:
    """All that is asked of the tables. Every method raises StoreError when the database fails.

    What belongs to another owner, or has expired, is not there.
    """

    def __init__(self, store: Store, ttl: timedelta, lease_seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._ttl = ttl
        self._lease = timedelta(seconds=lease_seconds)

    def add(self, owner: str, body: Body, given: Sequence[Item], *, is_background: bool = False) -> None:
        """Keep a response, with the items of its own input."""
        now = utc_now()
        row = {
            "id": body["id"],
            "owner": owner,
            "previous_id": body["previous_response_id"],
            "status": body["status"],
            "is_background": is_background,
            "body": _without_output(body),
            "created_at": now,
            "expires_at": now + self._ttl,
            "leased_until": now + self._lease if is_background else None,
        }
        items = [*_rows(owner, body["id"], given, False), *_rows(owner, body["id"], body["output"], True)]

        def work(db: Any) -> None:
            ResponseRow.insert(**row).execute(db)
            _insert(db, items)

        self._store.write(work)

    def update(self, owner: str, body: Body) -> bool:
        """Write down how a response in the background goes on or ends. False if it was cancelled or deleted."""
        change = {"status": body["status"], "body": _without_output(body)}
        if body["status"] in UNFINISHED:
            change["leased_until"] = utc_now() + self._lease
        items = _rows(owner, body["id"], body["output"], True)

        def work(db: Any) -> bool:
            query = ResponseRow.update(**change).where(_unfinished(owner, body["id"]))
            if not query.execute(db):
                return False
            if body["status"] not in UNFINISHED:
                _insert(db, items)
            return True

        return self._store.write(work)

    def renew(self, owner: str, response_id: str) -> bool:
        """Say that somebody still writes a response. False if nobody needs to: it was cancelled or deleted."""
        query = ResponseRow.update(leased_until=utc_now() + self._lease).where(
            _unfinished(owner, response_id)
        )
        return bool(self._store.write(lambda db: query.execute(db)))

    def is_wanted(self, owner: str, response_id: str) -> bool:
        """Whether a response in the background was neither cancelled nor deleted."""
        query = ResponseRow.select(ResponseRow.id).where(_unfinished(owner, response_id))
        return self._store.read(lambda db: query.first(db) is not None)

    def renew_leases(self, response_ids: Collection[str]) -> None:
        """Extend the leases of these responses by the full time, except of those that are cancelled or deleted."""
        query = ResponseRow.update(leased_until=utc_now() + self._lease).where(_active(response_ids))
        self._store.write(lambda db: query.execute(db))

    def find_active(self, response_ids: Collection[str]) -> set[str]:
        """Return the responses that are still being written: neither cancelled nor deleted nor finished."""
        query = ResponseRow.select(ResponseRow.id).where(_active(response_ids))
        return self._store.read(lambda db: {row.id for row in query.execute(db)})

    def get(self, owner: str, response_id: str) -> StoredResponse:
        """A response as it is now. Raises ResponseNotFound."""
        return self._store.read(lambda db: _kept(db, owner, response_id))

    def cancel(self, owner: str, response_id: str) -> StoredResponse:
        """Let a response in the background end; one that has ended stays as it is. Raises ResponseNotFound."""

        def work(db: Any) -> StoredResponse:
            kept = _kept(db, owner, response_id)
            if not kept.is_background:
                raise InvalidRequest(
                    "Only responses with background=true can be cancelled.", param="response_id"
                )
            query = ResponseRow.update(status="cancelled", leased_until=None)
            query.where(_unfinished(owner, response_id), ResponseRow.leased_until > utc_now()).execute(db)
            return _kept(db, owner, response_id)

        return self._store.write(work)

    def delete(self, owner: str, response_id: str) -> None:
        """Forget a response with its items; one that is still written ends. Raises ResponseNotFound."""

        def work(db: Any) -> None:
            if not ResponseRow.delete().where(_own(owner, response_id)).execute(db):
                raise not_found(response_id)

        self._store.write(work)

    def list_chain(self, owner: str, response_id: str) -> list[Item]:
        """The items of a response and of all that it follows, from the first on. Raises ResponseNotFound.

        It is not found either if one of those it follows is there no more.
        """

        def work(db: Any) -> list[Item]:
            lineage = _lineage(db, owner, response_id)
            if not lineage:
                raise not_found(response_id)
            if lineage[0][1] is not None:
                raise not_found(lineage[0][1])
            return [row.item for row in _items(db, [known for known, _ in lineage])]

        return self._store.read(work)

    def list_input_items(self, owner: str, response_id: str) -> list[Item]:
        """All items that a response had for its input, from the first on. Raises ResponseNotFound."""

        def work(db: Any) -> list[Item]:
            lineage = [known for known, _ in _lineage(db, owner, response_id)]
            if not lineage:
                raise not_found(response_id)
            rows = _items(db, lineage)
            return [row.item for row in rows if not (row.is_output and row.response_id == response_id)]

        return self._store.read(work)

    def find_items(self, owner: str, ids: Collection[str]) -> Mapping[str, Item]:
        """Those of the items that are there, by id."""
        wanted = list(dict.fromkeys(ids))
        found: dict[str, Item] = {}
        for start in range(0, len(wanted), ASKED_AT_ONCE):
            query = (
                ResponseItem.select(ResponseItem.item_id, ResponseItem.item)
                .join(ResponseRow)
                .where(
                    ResponseItem.owner == owner,
                    ResponseItem.item_id.in_(wanted[start : start + ASKED_AT_ONCE]),
                    ResponseRow.expires_at > utc_now(),
                )
            )
            found |= self._store.read(lambda db: {row.item_id: row.item for row in query.execute(db)})  # noqa: B023
        return found

    def delete_expired(self) -> int:
        """Delete what has expired; how many. Several processes may do so at once."""
        return self._store.delete_in_batches(ResponseRow, lambda: ResponseRow.expires_at <= utc_now())


def not_found(response_id: str) -> ResponseNotFound:
    """The error for an id that leads to nothing."""
    return ResponseNotFound(f"There is no response with the id '{response_id[:80]}'.")


def _without_output(body: Body) -> Body:
    return {key: value for key, value in body.items() if key != "output"}


def _rows(owner: str, response_id: str, items: Sequence[Item], is_output: bool) -> list[Item]:
    common = {"response": response_id, "owner": owner, "is_output": is_output}
    return [{**common, "item_id": item["id"], "item": item} for item in items]


def _insert(db: Any, rows: list[Item]) -> None:
    for row in rows:
        ResponseItem.insert(**row).execute(db)


def _own(owner: str, response_id: str) -> Any:
    return (
        (ResponseRow.id == response_id) & (ResponseRow.owner == owner) & (ResponseRow.expires_at > utc_now())
    )


def _unfinished(owner: str, response_id: str) -> Any:
    return _own(owner, response_id) & ResponseRow.status.in_(UNFINISHED)


def _active(response_ids: Collection[str]) -> Any:
    return ResponseRow.id.in_(list(response_ids)) & ResponseRow.status.in_(UNFINISHED)


def _items(db: Any, response_ids: Sequence[str]) -> list[Any]:
    """Rows of items of several responses, in the order of the responses."""
    query = ResponseItem.select().where(ResponseItem.response.in_(response_ids)).order_by(ResponseItem.id)
    place = {response_id: index for index, response_id in enumerate(response_ids)}
    return sorted(query.execute(db), key=lambda row: place[row.response_id])


def _kept(db: Any, owner: str, response_id: str) -> StoredResponse:
    row = ResponseRow.select().where(_own(owner, response_id)).first(db)
    if row is None:
        raise not_found(response_id)
    body = {**row.body, "status": row.status, "output": []}
    if row.status in UNFINISHED and row.leased_until <= utc_now():
        body |= {"status": "failed", "error": LOST}
    body["output"] = [item.item for item in _items(db, [response_id]) if item.is_output]
    return StoredResponse(body, row.is_background)


def _lineage(db: Any, owner: str, response_id: str) -> list[tuple[str, str | None]]:
    """The ids, each with the one it follows, of a response and of all before it, the first one first."""
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
    whole = base.union_all(step)
    query = whole.select_from(whole.c.id, whole.c.previous_id).order_by(whole.c.depth.desc())
    return [(str(known), previous) for known, previous in query.tuples().execute(db)]
