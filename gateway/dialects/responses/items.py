"""Complete input items for storage, as the API lists them: each with an id and all fields that a client may leave out.

https://platform.openai.com/docs/api-reference/responses/input-items
"""

import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gateway.dialects.common.conversation import find_newest
from gateway.dialects.common.field_errors import invalid_field, quote
from gateway.dialects.common.json_types import Item
from gateway.dialects.common.unreadable import describe
from gateway.dialects.responses.references import is_reference


def complete_items(items: Iterable[Any]) -> list[Item]:
    """Return the items in the form in which they are stored. `parse_request` must have accepted them.

    Items of other types are stored as they are, and references to items that are not stored are left out.
    """
    return [_complete(item) for item in items if not is_reference(item)]


def refuse_orphans(given: Sequence[Any], earlier: Iterable[Any]) -> None:
    """Raise InvalidRequest for the output of a call that neither `given` nor `earlier` has."""
    calls = {_call_id(item) for item in (*earlier, *given) if not _is_output(item)}
    for index, item in enumerate(given):
        if _is_output(item) and _call_id(item) not in calls:
            problem = f"The conversation has no call with the id {quote(_call_id(item))}."
            raise invalid_field(f"input[{index}].call_id", problem)


def refuse_unasked_decisions(given: Sequence[Any], earlier: Iterable[Any]) -> None:
    """Raise InvalidRequest for a new decision about an approval request that neither `given` nor `earlier` has."""
    kinds = [item.get("type") if isinstance(item, dict) else None for item in given]
    if "mcp_approval_response" not in kinds:
        return
    asked = {item.get("id") for item in (*earlier, *given) if isinstance(item, dict)}
    for index in range(find_newest(given), len(given)):
        request = given[index].get("approval_request_id") if kinds[index] == "mcp_approval_response" else None
        if request is not None and request not in asked:
            problem = f"The conversation has no approval request with the id {quote(request)}."
            raise invalid_field(f"input[{index}].approval_request_id", problem)


def _is_output(item: Any) -> bool:
    return isinstance(item, dict) and str(item.get("type")).endswith("_call_output")


def _call_id(item: Any) -> str:
    return str(item.get("call_id")) if isinstance(item, dict) else ""


def by_id(items: Iterable[Item]) -> dict[str, Item]:
    """Return the items by their ids. An item whose id was there before gets another one."""
    found: dict[str, Item] = {}
    for item in items:
        item_id = item["id"] if item["id"] not in found else f"item_{secrets.token_hex(16)}"
        found[item_id] = {**item, "id": item_id}
    return found


def list_object(items: Sequence[Item], *, has_more: bool) -> Item:
    """Return a page of items as the API lists them."""
    first, last = (items[0]["id"], items[-1]["id"]) if items else ("", "")
    return {"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": has_more}


def _complete(item: Any) -> Item:
    if not isinstance(item, dict):
        item = {"role": "user", "content": describe(item)}
    kind = item.get("type") or "message"
    prefix, complete = _COMPLETERS.get(str(kind), ("item", dict))
    completed = {"id": None, **item, "type": kind}
    if not isinstance(completed["id"], str) or not completed["id"]:
        completed["id"] = f"{prefix}_{secrets.token_hex(16)}"
    return complete(completed)


def _message(item: Item) -> Item:
    part = _output_part if item.get("role") == "assistant" else _input_part
    content = item.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    parts = content if isinstance(content, list) else [content] if content else []
    return {**item, "status": "completed", "content": [part(given) for given in parts]}


def _input_part(part: Any) -> Any:
    """Return a part of the model's input in this API's shape; it may have chat's shape, or a wrong one in the past."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in ("text", "output_text"):
        return {"type": "input_text", "text": part.get("text")}
    if kind in ("image_url", "input_image"):
        url = part.get("image_url")
        image = url if isinstance(url, dict) else {"url": url, "detail": part.get("detail")}
        stored = {"file_id": part["file_id"]} if part.get("file_id") else {}
        detail = image.get("detail") or "auto"
        return {"type": "input_image", "image_url": image.get("url"), "detail": detail, **stored}
    if kind == "file" and isinstance(part.get("file"), dict):
        return {"type": "input_file", **part["file"]}
    return part


def _output_part(part: Any) -> Any:
    if isinstance(part, dict) and part.get("type") in ("text", "input_text", "output_text"):
        return {"type": "output_text", "text": part.get("text"), "annotations": part.get("annotations") or []}
    return part


def _call(item: Item) -> Item:
    given = item.get("arguments")
    arguments = given if isinstance(given, str) and given else json.dumps(given or {})
    return {**item, "arguments": arguments, "status": "completed"}


def _custom_call(item: Item) -> Item:
    return {**item, "input": item.get("input") or "", "status": "completed"}


def _output(item: Item) -> Item:
    output = item.get("output")
    parts = [_input_part(part) for part in output] if isinstance(output, list) else output or ""
    return {**item, "output": parts, "status": "completed"}


def _reasoning(item: Item) -> Item:
    return {**item, "summary": item.get("summary") or []}


# The prefix of the id, and the function that adds the other fields, by type.
_COMPLETERS: dict[str, tuple[str, Callable[[Item], Item]]] = {
    "message": ("msg", _message),
    "function_call": ("fc", _call),
    "function_call_output": ("fco", _output),
    "custom_tool_call": ("ctc", _custom_call),
    "custom_tool_call_output": ("ctco", _output),
    "reasoning": ("rs", _reasoning),
}
