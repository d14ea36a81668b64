"""Read the Responses API's `input`: one message or tool call per item, so that errors name the right item.

The Responses dialect reads it, and so does chat, because Cursor posts such bodies to `/v1/chat/completions`. The result
is the input of `conversation`: chat messages, plus `function_call` and `function_call_output` items, for which chat has
no message. https://platform.openai.com/docs/api-reference/responses/create#responses-create-input

>>> as_messages("Hello", Notes())
[{'role': 'user', 'content': 'Hello'}]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.dialects.common.field_errors import invalid_field, quote, unsupported_field
from gateway.dialects.common.json_types import Item
from gateway.dialects.common.tool_call_format import RAW_INPUT
from gateway.dialects.common.tool_forms import offered_name
from gateway.dialects.common.where import Notes, Where

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def as_list(given: Any) -> list[Any]:
    """Return `input` as a list of items; a string is one message. Raises InvalidRequest."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise invalid_field("input", "Expected a string or a list of items.")
    return given


def as_messages(given: Any, notes: Notes) -> list[Item]:
    """Return `input` in the form that `conversation` reads. Raises InvalidRequest and UnsupportedParameter."""
    where = notes.at("input")
    return [_read_item(item, where.item(index)) for index, item in enumerate(as_list(given))]


def _read_item(item: Any, where: Where) -> Item:
    if not isinstance(item, dict):
        raise invalid_field(where, "Expected an object.")
    kind = item.get("type") or "message"
    if not isinstance(kind, str) or kind not in _READERS:
        raise unsupported_field(
            where.field("type"),
            f"Items of type {quote(kind)} are not supported. Remove {where} from the input.",
        )
    return _READERS[kind](item, where)


def _message(item: Item, where: Where) -> Item:
    """Check a message. Chat's own fields, such as `tool_calls`, stay with it."""
    if item.get("role") not in _ROLES:
        raise invalid_field(where.field("role"), f"Expected one of: {', '.join(_ROLES)}.")
    calls = item.get("tool_calls") or []
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        raise invalid_field(where.field("tool_calls"), "Expected a list of objects.")
    return item


def _function_call(item: Item, where: Where) -> Item:
    return _call(item, item.get("arguments"))


def _custom_tool_call(item: Item, where: Where) -> Item:
    return _call(item, {RAW_INPUT: item.get("input") or ""})


def _call(item: Item, arguments: Any) -> Item:
    """Return a call with the name under which the model knows the tool."""
    name = offered_name(item.get("name"), item.get("namespace"))
    return {"type": "function_call", "call_id": item.get("call_id"), "name": name, "arguments": arguments}


def _call_output(item: Item, where: Where) -> Item:
    return {
        "type": "function_call_output",
        "call_id": item.get("call_id"),
        "output": item.get("output"),
        "is_error": item.get("is_error"),
    }


def _reasoning(item: Item, where: Where) -> Item:
    """Drop reasoning: this model cannot use another model's thoughts, encrypted or not."""
    return {"role": "assistant", "content": None}


_READERS: dict[str, Callable[[Item, Where], Item]] = {
    "message": _message,
    "function_call": _function_call,
    "function_call_output": _call_output,
    "custom_tool_call": _custom_tool_call,
    "custom_tool_call_output": _call_output,
    "reasoning": _reasoning,
}
