"""The Responses API's `input` as chat messages, one message for each item, so that errors name the right one.

https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.dialects.call_form import RAW_INPUT
from gateway.dialects.faults import invalid, quoted, unsupported

Item = dict[str, Any]

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def messages(given: Any) -> list[Item]:
    """`input`, a string or a list of items, as chat messages. Raises InvalidRequest and UnsupportedParameter."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise invalid("input", "Expected a string or a list of items.")
    return [_message(item, f"input[{index}]") for index, item in enumerate(given)]


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
    function = {"name": item.get("name"), "arguments": arguments}
    call = {"id": item.get("call_id"), "type": "function", "function": function}
    return {"role": "assistant", "tool_calls": [call]}


def _output(item: Item, where: str) -> Item:
    # Without an id chat would look for one elsewhere; "" is refused by name.
    return {"role": "tool", "tool_call_id": item.get("call_id") or "", "content": item.get("output")}


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
