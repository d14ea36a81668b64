"""Items of responses and of conversations, which are found by their ids in the same way."""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any

import gevent

from gateway.store.database import Store, utc_now
from gateway.store.models import ConversationItem, ConversationRow, ResponseItem, ResponseRow

Item = dict[str, Any]

LARGE_COUNT = 500  # rows, which take 10 ms
LARGE_CHARACTERS = 1_000_000  # take 20 ms
IDS_PER_QUERY = 500  # databases limit the number of values in one query
ROWS_PER_QUERY = 500


def is_large(items: Iterable[Item]) -> bool:
    """Return True for items whose writing would stop the other greenlets for long: many ones, or megabytes.

    >>> is_large([{"type": "message", "content": [{"text": "x" * 2_000_000}]}])
    True
    """
    rest: list[Any] = list(items)
    if len(rest) > LARGE_COUNT:
        return True
    characters = 0
    while rest and characters <= LARGE_CHARACTERS:
        value = rest.pop()
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, dict):
            rest += value.values()
        elif isinstance(value, list):
            rest += value
    return characters > LARGE_CHARACTERS


def read_in_parts(store: Store, read_part: Callable[..., list[Any]]) -> list[Any]:
    """Return all rows of a query, in the order of their ids. Other greenlets run between the parts.

    `read_part(db, after)` returns the first ROWS_PER_QUERY rows whose `id` is larger than `after`. The parts are no
    snapshot, so rows that are added or deleted in between may be missing.
    """
    rows: list[Any] = []
    while True:
        part = store.read(partial(read_part, after=rows[-1].id if rows else 0))
        rows += part
        if len(part) < ROWS_PER_QUERY:
            return rows
        gevent.sleep(0)


def find_items(
    store: Store,
    items: type[ConversationItem | ResponseItem],
    parents: type[ConversationRow | ResponseRow],
    owner: str,
    ids: Collection[str],
) -> dict[str, Item]:
    """Return the owner's items with these ids, by id, unless their parent has expired. Missing ones are left out."""
    wanted = list(dict.fromkeys(ids))
    found: dict[str, Item] = {}
    for start in range(0, len(wanted), IDS_PER_QUERY):
        query = (
            items.select(items.item_id, items.item)
            .join(parents)
            .where(
                items.owner == owner,
                items.item_id.in_(wanted[start : start + IDS_PER_QUERY]),
                parents.expires_at > utc_now(),
            )
        )
        found |= store.read(lambda db: {row.item_id: row.item for row in query.execute(db)})  # noqa: B023
    return found
