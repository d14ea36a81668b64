"""Items of a Responses API `input` that only refer to a stored item: `{"type": "item_reference", "id": "msg_1"}`."""

from collections.abc import Mapping
from typing import Any

from gateway.dialects.common.conversation import find_newest
from gateway.dialects.common.field_errors import invalid_field, quote
from gateway.dialects.common.json_types import Item
from gateway.dialects.common.where import Where
from gateway.errors import NotFound

REFERENCE = "item_reference"


def find_references(items: list[Any]) -> list[str]:
    """Return the ids that `items` refer to."""
    return [item["id"] for item in items if is_reference(item) and isinstance(item.get("id"), str)]


def replace_references(items: list[Any], stored: Mapping[str, Item], field: str = "input") -> list[Any]:
    """Return `items` with each reference replaced by the stored item. Raises NotFound or InvalidRequest, naming it.

    A reference of the past to an item that is not stored is left as it is. `field` is the name of the list.
    """
    found, newest = [], find_newest(items)
    for index, item in enumerate(items):
        if not is_reference(item):
            found.append(item)
        elif index < newest and str(item.get("id")) not in stored:
            found.append({**item, "type": REFERENCE})
        else:
            found.append(_find_item(item, stored, Where(f"{field}[{index}].id")))
    return found


def is_reference(item: Any) -> bool:
    """Return True for a reference. The type is optional: an object with nothing but an id counts too."""
    if not isinstance(item, dict):
        return False
    fields = {key for key, value in item.items() if value is not None}
    return item.get("type") == REFERENCE or fields == {"id"}


def _find_item(reference: Item, stored: Mapping[str, Item], where: Where) -> Item:
    item_id = reference.get("id")
    if not isinstance(item_id, str):
        raise invalid_field(where, "Expected the id of an item.")
    if item_id not in stored:
        problem = f"There is no stored item with the id {quote(item_id)}."
        raise NotFound(problem, param=str(where), code="item_not_found")
    return stored[item_id]
