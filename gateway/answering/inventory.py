"""The stored data of all keys, with the names of the keys, for the API, the pages and the command line."""

from typing import Any

from gateway.store.inventory import Inventory, Kind
from gateway.store.keys import Keys


def list_stored(
    inventory: Inventory, keys: Keys, kind: Kind, owner: str | None, page: int, per_page: int
) -> tuple[list[dict[str, Any]], int]:
    """Return a page of rows with `key_name`, which is None if no key has them, and the total number."""
    rows, total = inventory.list_page(kind, owner, page, per_page)
    names = {key.id: key.name for key in keys.list()} if rows else {}
    return [row | {"key_name": names.get(row["owner"])} for row in rows], total
