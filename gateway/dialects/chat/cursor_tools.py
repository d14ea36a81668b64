"""Rewrite tools in the shapes of other APIs, above all tools that take free text, as chat's functions.

A custom tool of the Responses API takes free text, optionally constrained by a grammar. It becomes a function with that
text as its only property, and its calls in the history get the same form. Chat's own custom tools,
`{"type": "custom", "custom": {…}}`, are left unchanged and rejected later, because their clients expect answers in that
form.
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


def find_raw_tools(tools: Iterable[dict[str, Any]]) -> frozenset[str]:
    """Return the names of the tools that take free text."""
    return frozenset(tool["name"] for tool in tools if _is_raw(tool) and isinstance(tool["name"], str))


def as_function(tool: dict[str, Any]) -> dict[str, Any]:
    """Return a tool in the shape of another API as a function; any other tool is left unchanged."""
    if _is_raw(tool):
        return _function(tool, _RAW_PARAMETERS, _description_with_grammar(tool))
    if "input_schema" in tool and tool.get("type") in (None, "custom", "function"):
        return _function(tool, tool["input_schema"], tool.get("description"))
    return tool


def wrap_raw_calls(messages: list[dict[str, Any]], names: frozenset[str]) -> list[dict[str, Any]]:
    """Return the messages with the free-text arguments of calls of `names` wrapped in a JSON object."""
    if not names:
        return messages
    return [_wrap_calls(message, names) for message in messages]


def _is_raw(tool: dict[str, Any]) -> bool:
    return tool.get("type") == "custom" and "name" in tool and "input_schema" not in tool


def _function(tool: dict[str, Any], parameters: Any, description: Any) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.get("name"),
        "description": description,
        "parameters": parameters,
    }


def _description_with_grammar(tool: dict[str, Any]) -> Any:
    """Return the description with the grammar, which the model can follow although nothing enforces it."""
    wanted = tool.get("format")
    wanted = wanted.get("grammar", wanted) if isinstance(wanted, dict) else {}
    grammar = wanted.get("definition") if isinstance(wanted, dict) else None
    if not isinstance(grammar, str):
        return tool.get("description")
    rule = f"`{RAW_INPUT}` must follow this grammar ({wanted.get('syntax')}):\n{grammar}"
    return f"{tool.get('description') or ''}\n\n{rule}".strip()


def _wrap_calls(message: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    if message.get("type") == "function_call" and _is_call_of(message, names):
        return {**message, "arguments": _wrap(message.get("arguments"))}
    calls = message.get("tool_calls")
    if not calls:
        return message
    return {**message, "tool_calls": [_wrap_call(call, names) for call in calls]}


def _wrap_call(call: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Wrap the arguments of a call. Clients replay calls as functions or as chat's custom calls."""
    called = call.get("function") or call.get("custom")
    if not isinstance(called, dict) or not _is_call_of(called, names):
        return call
    given = _wrap(called.get("arguments", called.get(RAW_INPUT)))
    return {
        "id": call.get("id"),
        "type": "function",
        "function": {"name": called["name"], "arguments": given},
    }


def _is_call_of(called: dict[str, Any], names: frozenset[str]) -> bool:
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
