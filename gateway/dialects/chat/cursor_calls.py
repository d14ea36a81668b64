"""Tools of other APIs' shapes, above all those that take free text, as chat's functions.

A custom tool of the Responses API takes free text, to which a grammar may apply. Here it becomes a function with
that text as its one property; its calls in the history are brought into the same form. Chat's own custom
tools, `{"type": "custom", "custom": {…}}`, are left as they are, to be refused: their clients want
them answered as such.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from gateway.dialects.common.tool_call_format import RAW_INPUT

_RAW_PARAMETERS = {
    "type": "object",
    "properties": {RAW_INPUT: {"type": "string", "description": "The tool's whole input, as plain text."}},
    "required": [RAW_INPUT],
    "additionalProperties": False,
}


def raw_tools(tools: Iterable[dict[str, Any]]) -> frozenset[str]:
    """The names of the tools that take free text."""
    return frozenset(tool["name"] for tool in tools if _is_raw(tool) and isinstance(tool["name"], str))


def plain_tool(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool as a function where it has a name of its own; any other as it is."""
    if _is_raw(tool):
        return _function(tool, _RAW_PARAMETERS, _described(tool))
    if "input_schema" in tool and tool.get("type") in (None, "custom", "function"):
        return _function(tool, tool["input_schema"], tool.get("description"))
    return tool


def with_plain_calls(messages: list[dict[str, Any]], names: frozenset[str]) -> list[dict[str, Any]]:
    """The messages, the free text that calls of `names` have for arguments made a JSON object."""
    if not names:
        return messages
    return [_with_plain_calls(message, names) for message in messages]


def _is_raw(tool: dict[str, Any]) -> bool:
    return tool.get("type") == "custom" and "name" in tool and "input_schema" not in tool


def _function(tool: dict[str, Any], parameters: Any, description: Any) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.get("name"),
        "description": description,
        "parameters": parameters,
    }


def _described(tool: dict[str, Any]) -> Any:
    """The description with the grammar, which the model can follow though nothing enforces it."""
    wanted = tool.get("format")
    wanted = wanted.get("grammar", wanted) if isinstance(wanted, dict) else {}
    grammar = wanted.get("definition") if isinstance(wanted, dict) else None
    if not isinstance(grammar, str):
        return tool.get("description")
    rule = f"`{RAW_INPUT}` must follow this grammar ({wanted.get('syntax')}):\n{grammar}"
    return f"{tool.get('description') or ''}\n\n{rule}".strip()


def _with_plain_calls(message: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    if message.get("type") == "function_call" and _names_one(message, names):
        return {**message, "arguments": _wrapped(message.get("arguments"))}
    calls = message.get("tool_calls")
    if not calls:
        return message
    return {**message, "tool_calls": [_plain_call(call, names) for call in calls]}


def _plain_call(call: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Calls come back in the form they were sent in, or as chat's custom calls."""
    called = call.get("function") or call.get("custom")
    if not isinstance(called, dict) or not _names_one(called, names):
        return call
    given = _wrapped(called.get("arguments", called.get(RAW_INPUT)))
    return {
        "id": call.get("id"),
        "type": "function",
        "function": {"name": called["name"], "arguments": given},
    }


def _names_one(called: dict[str, Any], names: frozenset[str]) -> bool:
    name = called.get("name")
    return isinstance(name, str) and name in names


def _wrapped(given: Any) -> Any:
    return {RAW_INPUT: given} if isinstance(given, str) and not _is_wrapped(given) else given


def _is_wrapped(text: str) -> bool:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and value.keys() == {RAW_INPUT}
