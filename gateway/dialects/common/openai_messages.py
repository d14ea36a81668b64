"""One chat message at a time as pieces of the conversation, tool calls and their results included."""

from __future__ import annotations

import json
from typing import Any

import orjson

from gateway.dialects.common import content
from gateway.dialects.common.content import ContentPart, Readers
from gateway.dialects.common.field_errors import invalid, quoted, unsupported
from gateway.dialects.common.text import is_blank, well_formed, well_formed_json
from gateway.turn import Block

#: Stands in a failed tool's result that says nothing; the API refuses an error without content.
NO_MESSAGE = "(The tool failed and gave no message.)"


def user(message: dict[str, Any], where: str) -> list[ContentPart]:
    """A user's message; it may hold Anthropic's `tool_result` blocks."""
    return content.pieces(message.get("content"), f"{where}.content", _USER)


def assistant(message: dict[str, Any], where: str) -> list[ContentPart]:
    """An answer replayed: its text, and its tool calls as `tool_use` blocks."""
    if message.get("audio"):
        raise unsupported(f"{where}.audio", "Spoken answers cannot be replayed.")
    found = content.pieces(message.get("content"), f"{where}.content", _ASSISTANT)
    # An answer that was refused is replayed with its text here and content null.
    refusal = content.refusal_part(message, where) if message.get("refusal") else None
    if refusal:
        found.append(ContentPart(refusal, f"{where}.refusal"))
    calls = message.get("tool_calls") or []
    return found + [_call(call, f"{where}.tool_calls[{index}]") for index, call in enumerate(calls)]


def tool(message: dict[str, Any], where: str) -> list[ContentPart]:
    """A tool's result. Some clients of Anthropic's shape send it as blocks that carry their own ids."""
    call_id, parts = message.get("tool_call_id"), message.get("content")
    if call_id is None and _are_results(parts):
        return user(message, where)
    result = _result(_identifier(call_id, f"{where}.tool_call_id"), message, where)
    return [ContentPart(result, f"{where}.tool_call_id")]


def function_call(message: dict[str, Any], where: str, call_id: str) -> ContentPart:
    """The deprecated `function_call` of an assistant's message; it has no id of its own."""
    return ContentPart(
        _use(call_id, message["function_call"], f"{where}.function_call"), f"{where}.function_call"
    )


def function(message: dict[str, Any], where: str, call_id: str) -> ContentPart:
    """The deprecated message of role `function`."""
    return ContentPart(_result(call_id, message, where), where)


def call_item(item: dict[str, Any], where: str) -> list[ContentPart]:
    """The Responses API's `function_call`."""
    call_id = _identifier(item.get("call_id"), f"{where}.call_id")
    return [ContentPart(_use(call_id, item, where), f"{where}.call_id")]


def output_item(item: dict[str, Any], where: str) -> list[ContentPart]:
    """The Responses API's `function_call_output`."""
    call_id = _identifier(item.get("call_id"), f"{where}.call_id")
    return [ContentPart(_result(call_id, item, where, field="output"), f"{where}.call_id")]


def _are_results(parts: Any) -> bool:
    return isinstance(parts, list) and any(
        isinstance(part, dict) and part.get("type") == "tool_result" for part in parts
    )


def _identifier(value: Any, where: str) -> str:
    if not isinstance(value, str) or is_blank(value):
        raise invalid(where, "Expected the id of a tool call.")
    return well_formed(value)


def _call(call: dict[str, Any], where: str) -> ContentPart:
    if call.get("type") not in (None, "function"):
        raise unsupported(f"{where}.type", f"Calls of type {quoted(call['type'])} cannot be replayed.")
    call_id = _identifier(call.get("id"), f"{where}.id")
    return ContentPart(_use(call_id, call.get("function"), f"{where}.function"), f"{where}.id")


def _use(call_id: str, called: Any, where: str) -> Block:
    if not isinstance(called, dict):
        raise invalid(where, "Expected an object with `name` and `arguments`.")
    given = _arguments(called.get("arguments"), f"{where}.arguments")
    return {"type": "tool_use", "id": call_id, "name": _name(called, where), "input": given}


def _name(holder: dict[str, Any], where: str) -> str:
    name = holder.get("name")
    if not isinstance(name, str) or is_blank(name):
        raise invalid(f"{where}.name", "Expected the name of a tool.")
    return well_formed(name)


def _arguments(given: Any, where: str) -> dict[str, Any]:
    value = _parsed(given, where) if isinstance(given, str) else given
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(where, "Expected a JSON object.")
    arguments: dict[str, Any] = well_formed_json(value, where)
    return arguments


def _parsed(text: str, where: str) -> Any:
    if is_blank(text):
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        # Unlike orjson it takes halves of surrogate pairs, and would take NaN.
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise invalid(where, "Expected a JSON object; this is no JSON.") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _result(
    call_id: str,
    message: dict[str, Any],
    where: str,
    *,
    field: str = "content",
    readers: Readers = content.PARTS,
) -> Block:
    result: Block = {"type": "tool_result", "tool_use_id": call_id}
    said = content.blocks(message.get(field), f"{where}.{field}", readers)
    if message.get("is_error") is True:
        said = said or [{"type": "text", "text": NO_MESSAGE}]
        result["is_error"] = True
    if said:
        result["content"] = said
    return result


def use_block(part: dict[str, Any], where: str) -> Block:
    """Anthropic's own `tool_use` block, replayed."""
    called = {"name": part.get("name"), "arguments": part.get("input")}
    return _use(_identifier(part.get("id"), f"{where}.id"), called, where)


def result_block(part: dict[str, Any], where: str, readers: Readers = content.PARTS) -> Block:
    """Anthropic's own `tool_result` block; `readers` are for its content."""
    return _result(_identifier(part.get("tool_use_id"), f"{where}.tool_use_id"), part, where, readers=readers)


_USER: Readers = {**content.PARTS, "tool_result": result_block}
_ASSISTANT: Readers = {
    **content.TEXTS,
    "refusal": content.refusal_part,
    "tool_use": use_block,
    # The API takes signed thinking only, and no client keeps the signature.
    **dict.fromkeys(("thinking", "redacted_thinking", "reasoning"), content.left_out),
}
