"""Give the calls of custom tools in chat's history the form of a function that has the free text as its only property.

Clients replay such calls in several forms: with the bare text as arguments, as Cursor gets them, or as chat's custom
calls, `{"type": "custom", "custom": {"name": …, "input": …}}`. `common.tool_forms` handles the tools themselves.
"""

from collections.abc import Collection
from typing import Any

import orjson

from gateway.dialects.common.tool_call_format import RAW_INPUT


def wrap_raw_calls(messages: list[dict[str, Any]], names: Collection[str]) -> list[dict[str, Any]]:
    """Return the messages with the free-text arguments of calls of `names` wrapped in a JSON object."""
    if not names:
        return messages
    return [_wrap_calls(message, names) for message in messages]


def _wrap_calls(message: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    if message.get("type") == "function_call" and _is_call_of(message, names):
        return {**message, "arguments": _wrap(message.get("arguments"))}
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    return {**message, "tool_calls": [_wrap_call(call, names) for call in calls]}


def _wrap_call(call: Any, names: Collection[str]) -> Any:
    """Wrap the arguments of a call. Clients replay calls as functions or as chat's custom calls."""
    if not isinstance(call, dict):
        return call
    called = call.get("function") or call.get("custom")
    if not isinstance(called, dict) or not _is_call_of(called, names):
        return call
    given = _wrap(called.get("arguments", called.get(RAW_INPUT)))
    return {
        "id": call.get("id"),
        "type": "function",
        "function": {"name": called["name"], "arguments": given},
    }


def _is_call_of(called: dict[str, Any], names: Collection[str]) -> bool:
    name = called.get("name")
    return isinstance(name, str) and name in names


def _wrap(given: Any) -> Any:
    return {RAW_INPUT: given} if isinstance(given, str) and not _is_wrapped(given) else given


def _is_wrapped(text: str) -> bool:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and value.keys() == {RAW_INPUT}
