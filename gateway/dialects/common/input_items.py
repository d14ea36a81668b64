"""The Responses API's `input`, one message or call for each item, so that errors name the right one.

What comes out is what `conversation` reads: chat messages, and the two kinds of items that chat has no message for,
`function_call` and `function_call_output`.
https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.dialects.common.field_errors import invalid, quoted, unsupported
from gateway.dialects.common.tool_call_format import RAW_INPUT
from gateway.errors import NotFound

Item = dict[str, Any]

REFERENCE = "item_reference"

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def messages(given: Any) -> list[Item]:
    """`input`, a string or a list of items, for `conversation`. Raises InvalidRequest and UnsupportedParameter."""
    return [_message(item, f"input[{index}]") for index, item in enumerate(items(given))]


def items(given: Any) -> list[Any]:
    """`input` as a list, a string being one message. Raises InvalidRequest."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise invalid("input", "Expected a string or a list of items.")
    return given


def references(given: list[Any]) -> list[str]:
    """The ids of the items that are only referred to. Raises InvalidRequest."""
    return [
        _referred(item, f"input[{index}]") for index, item in enumerate(given) if _reference(item) is not None
    ]


def resolved(given: list[Any], known: Mapping[str, Item]) -> list[Any]:
    """`given` with the items themselves in place of references. Raises NotFound that names the reference."""
    found = []
    for index, item in enumerate(given):
        if _reference(item) is None:
            found.append(item)
            continue
        item_id = _referred(item, f"input[{index}]")
        if item_id not in known:
            problem = f"There is no stored item with the id {quoted(item_id)}."
            raise NotFound(problem, param=f"input[{index}].id", code="item_not_found")
        found.append(known[item_id])
    return found


def _reference(item: Any) -> Item | None:
    """The type may be left out: an object with nothing but an id is a reference, too."""
    if not isinstance(item, dict):
        return None
    named = {key for key, value in item.items() if value is not None}
    return item if item.get("type") == REFERENCE or named == {"id"} else None


def _referred(item: Item, where: str) -> str:
    item_id = item.get("id")
    if not isinstance(item_id, str):
        raise invalid(f"{where}.id", "Expected the id of an item.")
    return item_id


def _message(item: Any, where: str) -> Item:
    if not isinstance(item, dict):
        raise invalid(where, "Expected an object.")
    kind = item.get("type") or "message"
    if not isinstance(kind, str) or kind not in _ITEMS:
        raise unsupported(f"{where}.type", f"Items of type {quoted(kind)} cannot be passed on.")
    return _ITEMS[kind](item, where)


def _spoken(item: Item, where: str) -> Item:
    """A message; chat's own fields, such as `tool_calls`, stay with it."""
    if item.get("role") not in _ROLES:
        raise invalid(f"{where}.role", f"Expected one of: {', '.join(_ROLES)}.")
    calls = item.get("tool_calls") or []
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        raise invalid(f"{where}.tool_calls", "Expected a list of objects.")
    return item


def _function_call(item: Item, where: str) -> Item:
    return _call(item, item.get("arguments"))


def _custom_tool_call(item: Item, where: str) -> Item:
    return _call(item, {RAW_INPUT: item.get("input") or ""})


def _call(item: Item, arguments: Any) -> Item:
    called = {"call_id": item.get("call_id"), "name": item.get("name"), "arguments": arguments}
    return {"type": "function_call", **called}


def _output(item: Item, where: str) -> Item:
    return {
        "type": "function_call_output",
        "call_id": item.get("call_id"),
        "output": item.get("output"),
        "is_error": item.get("is_error"),
    }


def _reasoning(item: Item, where: str) -> Item:
    """Another model's thoughts, encrypted or not, are of no use to this one."""
    return {"role": "assistant", "content": None}


_ITEMS: dict[str, Callable[[Item, str], Item]] = {
    "message": _spoken,
    "function_call": _function_call,
    "function_call_output": _output,
    "custom_tool_call": _custom_tool_call,
    "custom_tool_call_output": _output,
    "reasoning": _reasoning,
}
