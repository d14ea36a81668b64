"""Conversations that clients add to, item by item, and that answers continue.

A conversation is one of `/v1/conversations`, with items of the Responses API, or a thread of the Messages API, whose
items are messages. Only one answer at a time can be written in a conversation: its worker claims the
conversation, and has a lease on it that expires if the worker dies.

For example:

    conversation = conversations.load("key_1", "conv_1")
    conversations.claim("key_1", "conv_1", "resp_1", conversation.version)  # a LeaseKeeper renews it
    conversations.append("key_1", "conv_1", "resp_1", [question, answer])  # this also gives the claim up
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.errors import ConversationLocked, ConversationNotFound, InvalidRequest, NotFound
from gateway.store.database import Store, utc_now
from gateway.store.lease_keeper import LEASE_SECONDS
from gateway.store.models import ConversationItem, ConversationRow
from gateway.store.statements import insert_rows
from gateway.store.stored_items import (
    IDS_PER_QUERY,
    ROWS_PER_QUERY,
    Item,
    find_items,
    is_large,
    read_in_parts,
)

MAX_ITEMS = 10_000  # in one conversation, which every answer in it reads

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation without its items."""

    id: str
    body: Body
    created_at: datetime


@dataclass(frozen=True, slots=True)
class LoadedConversation:
    """A conversation with all items. `version` changes whenever items are added."""

    id: str
    body: Body
    items: tuple[Item, ...]
    version: int


@dataclass(frozen=True, slots=True)
class ItemPage:
    """A page of the items of a conversation. `has_more` says whether more items follow."""

    items: tuple[Item, ...]
    has_more: bool


class Conversations:
    """The tables of conversations and their items. Every method raises StoreError when the database fails.

    Conversations that belong to another owner or have expired are treated as missing. They expire `ttl` after the last
    change.
    """

    def __init__(self, store: Store, ttl: timedelta, lease_seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self.ttl = ttl
        self._lease = timedelta(seconds=lease_seconds)

    def add(
        self, owner: str, conversation_id: str, body: Body, items: Mapping[str, Item]
    ) -> StoredConversation:
        """Store a conversation with its first items, by their ids."""
        now = utc_now()
        row = {
            "id": conversation_id,
            "owner": owner,
            "body": body,
            "created_at": now,
            "expires_at": now + self.ttl,
        }

        def work(db: Any) -> None:
            ConversationRow.insert(**row).execute(db)
            _insert(db, owner, conversation_id, items)

        self._store.write(work)
        return StoredConversation(conversation_id, body, now)

    def get(self, owner: str, conversation_id: str) -> StoredConversation:
        """Return a conversation without its items. Raise ConversationNotFound."""
        row = self._store.read(lambda db: _get(db, owner, conversation_id))
        return StoredConversation(row.id, row.body, row.created_at)

    def load(self, owner: str, conversation_id: str) -> LoadedConversation:
        """Return a conversation with all items. Raise ConversationNotFound, and ConversationLocked if it is claimed."""

        row = self._store.read(lambda db: _get(db, owner, conversation_id))
        _raise_if_locked(row)
        found = read_in_parts(self._store, lambda db, after: _items(db, conversation_id, after))
        items = tuple(item.item for item in found)
        return LoadedConversation(row.id, row.body, items, found[-1].id if found else 0)

    def update(self, owner: str, conversation_id: str, body: Body) -> StoredConversation:
        """Replace the body of a conversation. Raise ConversationNotFound."""
        change = {"body": body, "expires_at": utc_now() + self.ttl}
        query = ConversationRow.update(**change).where(_own(owner, conversation_id))
        if not self._store.write(query.execute):
            raise conversation_not_found(conversation_id)
        return self.get(owner, conversation_id)

    def delete(self, owner: str, conversation_id: str) -> None:
        """Delete a conversation with its items. Raise ConversationNotFound."""
        query = ConversationRow.delete().where(_own(owner, conversation_id))
        if not self._store.write(query.execute):
            raise conversation_not_found(conversation_id)

    def add_items(self, owner: str, conversation_id: str, items: Mapping[str, Item]) -> None:
        """Add items, by their ids.

        Raise ConversationNotFound, ConversationLocked, or InvalidRequest if they cannot be added.
        """

        def work(db: Any) -> None:
            _raise_if_locked(_get(db, owner, conversation_id))
            known = _find_known(db, conversation_id, items)
            if known:
                raise InvalidRequest(
                    f"The conversation has an item with the id '{min(known)}' already.", param="items"
                )
            count = ConversationItem.select().where(_of(conversation_id)).count(db)
            if count + len(items) > MAX_ITEMS:
                raise InvalidRequest(f"A conversation can have at most {MAX_ITEMS} items.", param="items")
            _insert(db, owner, conversation_id, items)
            self._extend(db, conversation_id)

        self._store.write(work)

    def list_items(
        self, owner: str, conversation_id: str, *, limit: int, is_ascending: bool, after: str | None = None
    ) -> ItemPage:
        """Return up to `limit` items behind the item `after` in this order.

        Raise ConversationNotFound, or InvalidRequest if there is no item `after`.
        """
        number = ConversationItem.id

        def work(db: Any) -> ItemPage:
            _get(db, owner, conversation_id)
            query = ConversationItem.select().where(_of(conversation_id))
            if after is not None:
                start = ConversationItem.select(number).where(_one(conversation_id, after)).scalar(db)
                if start is None:
                    raise InvalidRequest(f"There is no item with the id '{after[:80]}'.", param="after")
                query = query.where(number > start if is_ascending else number < start)
            query = query.order_by(number.asc() if is_ascending else number.desc()).limit(limit + 1)
            items = tuple(row.item for row in query.execute(db))
            return ItemPage(items[:limit], len(items) > limit)

        return self._store.read(work)

    def get_item(self, owner: str, conversation_id: str, item_id: str) -> Item:
        """Return an item. Raise ConversationNotFound or NotFound."""

        def work(db: Any) -> Item:
            _get(db, owner, conversation_id)
            row = ConversationItem.select().where(_one(conversation_id, item_id)).first(db)
            if row is None:
                raise item_not_found(item_id)
            found: Item = row.item
            return found

        return self._store.read(work)

    def delete_item(self, owner: str, conversation_id: str, item_id: str) -> None:
        """Delete an item. Raise ConversationNotFound, ConversationLocked or NotFound."""

        def work(db: Any) -> None:
            _raise_if_locked(_get(db, owner, conversation_id))
            if not ConversationItem.delete().where(_one(conversation_id, item_id)).execute(db):
                raise item_not_found(item_id)
            self._extend(db, conversation_id)

        self._store.write(work)

    def find_items(self, owner: str, ids: Collection[str]) -> Mapping[str, Item]:
        """Return the items with these ids, of any conversation, by id. Missing ones are left out."""
        return find_items(self._store, ConversationItem, ConversationRow, owner, ids)

    def find_by_item(self, owner: str, item_id: str) -> tuple[str, bool] | None:
        """Return the conversation that has an item, and True if the item is its last one. None without such an item."""

        def work(db: Any) -> tuple[str, bool] | None:
            is_it = (ConversationItem.owner == owner) & (ConversationItem.item_id == item_id)
            row = ConversationItem.select().where(is_it).first(db)
            if row is None:
                return None
            later = _of(row.conversation_id) & (ConversationItem.id > row.id)
            return str(row.conversation_id), not ConversationItem.select().where(later).exists(db)

        return self._store.read(work)

    def claim(self, owner: str, conversation_id: str, holder: str, version: int) -> None:
        """Let `holder` be the only one that can add items, until it calls `append` or `release`, or its lease expires.

        Raise ConversationNotFound, and ConversationLocked if another one has the claim, or has changed the
        conversation since it had `version`.
        """

        def work(db: Any) -> None:
            _raise_if_locked(_get(db, owner, conversation_id))
            last = ConversationItem.select(ConversationItem.id).where(_of(conversation_id))
            if (last.order_by(ConversationItem.id.desc()).scalar(db) or 0) != version:
                raise ConversationLocked(should_retry=True)
            change = {"holder": holder, "leased_until": utc_now() + self._lease}
            ConversationRow.update(**change).where(ConversationRow.id == conversation_id).execute(db)

        self._store.write(work)

    def append(self, owner: str, conversation_id: str, holder: str, items: Mapping[str, Item]) -> bool:
        """Add items and give the claim up. Return False if `holder` has lost its claim, or the conversation is gone.

        Items that the conversation has already are left out.
        """
        change = {"holder": None, "leased_until": None, "expires_at": utc_now() + self.ttl}
        is_mine = _own(owner, conversation_id) & (ConversationRow.holder == holder)

        def work(db: Any) -> bool:
            if not ConversationRow.update(**change).where(is_mine).execute(db):
                return False
            known = _find_known(db, conversation_id, items)
            new = {item_id: item for item_id, item in items.items() if item_id not in known}
            _insert(db, owner, conversation_id, new)
            return True

        return (self._store.write_large if is_large(items.values()) else self._store.write)(work)

    def release(self, holder: str) -> None:
        """Give a claim up without adding items."""
        query = ConversationRow.update(holder=None, leased_until=None).where(ConversationRow.holder == holder)
        self._store.write(query.execute)

    def renew_leases(self, holders: Collection[str]) -> None:
        """Extend the leases of these holders by the full time."""
        change = {"leased_until": utc_now() + self._lease}
        query = ConversationRow.update(**change).where(ConversationRow.holder.in_(list(holders)))
        self._store.write(query.execute)

    def delete_expired(self) -> int:
        """Delete expired conversations and return their number. Several processes may do so at once."""
        return self._store.delete_in_batches(ConversationRow, lambda: ConversationRow.expires_at <= utc_now())

    def _extend(self, db: Any, conversation_id: str) -> None:
        query = ConversationRow.update(expires_at=utc_now() + self.ttl)
        query.where(ConversationRow.id == conversation_id).execute(db)


def conversation_not_found(conversation_id: str) -> ConversationNotFound:
    """Return the error for an id that does not exist."""
    return ConversationNotFound(f"There is no conversation with the id '{conversation_id[:80]}'.")


def item_not_found(item_id: str) -> NotFound:
    """Return the error for an item that does not exist."""
    return NotFound(f"There is no item with the id '{item_id[:80]}'.", code="item_not_found")


def _own(owner: str, conversation_id: str) -> Any:
    is_own = (ConversationRow.id == conversation_id) & (ConversationRow.owner == owner)
    return is_own & (ConversationRow.expires_at > utc_now())


def _items(db: Any, conversation_id: str, after: int) -> list[ConversationItem]:
    """Return the first items of a conversation whose ids are larger than `after`."""
    query = ConversationItem.select().where(_of(conversation_id), ConversationItem.id > after)
    return list(query.order_by(ConversationItem.id).limit(ROWS_PER_QUERY).execute(db))


def _of(conversation_id: str) -> Any:
    return ConversationItem.conversation == conversation_id


def _one(conversation_id: str, item_id: str) -> Any:
    return _of(conversation_id) & (ConversationItem.item_id == item_id)


def _get(db: Any, owner: str, conversation_id: str) -> Any:
    row = ConversationRow.select().where(_own(owner, conversation_id)).first(db)
    if row is None:
        raise conversation_not_found(conversation_id)
    return row


def _raise_if_locked(row: Any) -> None:
    if row.holder is not None and row.leased_until > utc_now():
        raise ConversationLocked(should_retry=True)


def _find_known(db: Any, conversation_id: str, ids: Collection[str]) -> set[str]:
    """Return the ids that items of the conversation have already."""
    known: set[str] = set()
    for some in _chunks(list(ids), IDS_PER_QUERY):
        is_known = _of(conversation_id) & ConversationItem.item_id.in_(some)
        query = ConversationItem.select(ConversationItem.item_id).where(is_known)
        known |= {row.item_id for row in query.execute(db)}
    return known


def _insert(db: Any, owner: str, conversation_id: str, items: Mapping[str, Item]) -> None:
    common = {"conversation": conversation_id, "owner": owner}
    rows = [{**common, "item_id": item_id, "item": item} for item_id, item in items.items()]
    insert_rows(db, ConversationItem, rows)


def _chunks(values: Sequence[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(values), size):
        yield list(values[start : start + size])
