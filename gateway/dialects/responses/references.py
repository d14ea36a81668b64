"""Items of a Responses API `input` that only refer to a stored item: `{"type": "item_reference", "id": "msg_1"}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.dialects.common.field_errors import invalid_field, quote
from gateway.dialects.common.json_types import Item
from gateway.dialects.common.where import Where
from gateway.errors import NotFound

REFERENCE = "item_reference"


def find_references(items: list[Any]) -> list[str]:
    """Return the ids that `items` refer to. Raises InvalidRequest if a reference has no id."""
    return [
        _referenced_id(item, Where(f"input[{index}]"))
        for index, item in enumerate(items)
        if _is_reference(item)
    ]


def replace_references(items: list[Any], stored: Mapping[str, Item]) -> list[Any]:
    """Return `items` with each reference replaced by the stored item. Raises NotFound, naming the reference."""
    found = []
    for index, item in enumerate(items):
        if not _is_reference(item):
            found.append(item)
            continue
        item_id = _referenced_id(item, Where(f"input[{index}]"))
        if item_id not in stored:
            problem = f"There is no stored item with the id {quote(item_id)}."
            raise NotFound(problem, param=f"input[{index}].id", code="item_not_found")
        found.append(stored[item_id])
    return found


def _is_reference(item: Any) -> bool:
    """Return True for a reference. The type is optional: an object with nothing but an id counts too."""
    if not isinstance(item, dict):
        return False
    fields = {key for key, value in item.items() if value is not None}
    return item.get("type") == REFERENCE or fields == {"id"}


def _referenced_id(item: Item, where: Where) -> str:
    item_id = item.get("id")
    if not isinstance(item_id, str):
        raise invalid_field(where.field("id"), "Expected the id of an item.")
    return item_id
