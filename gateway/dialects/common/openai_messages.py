"""Read one chat message or one item of the Responses API at a time, with its tool calls and their results."""

from __future__ import annotations

from typing import Any

from gateway.dialects.common.content import (
    PARTS,
    TEXTS,
    ContentPart,
    Readers,
    read_blocks,
    read_parts,
    refusal_part,
    skip_part,
)
from gateway.dialects.common.field_errors import invalid_field, quote, unsupported_field
from gateway.dialects.common.text import is_blank, repair_json, repair_text
from gateway.dialects.common.tool_call_format import RAW_INPUT
from gateway.dialects.common.where import Where
from gateway.lenient_json import loads
from gateway.turn import Block

#: The text of a failed tool's result that has none: the API rejects an error without content.
NO_MESSAGE = "(The tool failed and gave no message.)"


def read_user(message: dict[str, Any], where: Where) -> list[ContentPart]:
    """Read a user message, which may hold `tool_result` blocks of the Messages API."""
    return read_parts(message.get("content"), where.field("content"), _USER)


def read_assistant(message: dict[str, Any], where: Where) -> list[ContentPart]:
    """Read a replayed answer: its text, and its tool calls as `tool_use` blocks."""
    if message.get("audio"):
        problem = "Spoken answers are not supported. Replay the answer as text."
        raise unsupported_field(where.field("audio"), problem)
    found = read_parts(message.get("content"), where.field("content"), _ASSISTANT)
    # A replayed refusal has its text here, and content null.
    refusal = refusal_part(message, where) if message.get("refusal") else None
    if refusal:
        found.append(ContentPart(refusal, where.field("refusal")))
    calls = message.get("tool_calls") or []
    return found + [_call(call, where.field("tool_calls").item(index)) for index, call in enumerate(calls)]


def read_tool_message(message: dict[str, Any], where: Where) -> list[ContentPart]:
    """Read a tool's result. Some clients send it as `tool_result` blocks, which carry their own ids."""
    call_id, parts = message.get("tool_call_id"), message.get("content")
    if call_id is None and _are_results(parts):
        return read_user(message, where)
    result = _result(_call_id(call_id, where.field("tool_call_id")), message, where)
    return [ContentPart(result, where.field("tool_call_id"))]


def read_function_call(message: dict[str, Any], where: Where, call_id: str) -> ContentPart:
    """Read the deprecated `function_call` of an assistant message, which has no id of its own."""
    where = where.field("function_call")
    return ContentPart(_use(call_id, message["function_call"], where), where)


def read_function_message(message: dict[str, Any], where: Where, call_id: str) -> ContentPart:
    """Read the deprecated message with role `function`."""
    return ContentPart(_result(call_id, message, where), where)


def read_call_item(item: dict[str, Any], where: Where) -> list[ContentPart]:
    """Read a `function_call` item of the Responses API."""
    call_id = _call_id(item.get("call_id"), where.field("call_id"))
    return [ContentPart(_use(call_id, item, where), where.field("call_id"))]


def read_output_item(item: dict[str, Any], where: Where) -> list[ContentPart]:
    """Read a `function_call_output` item of the Responses API."""
    call_id = _call_id(item.get("call_id"), where.field("call_id"))
    return [ContentPart(_result(call_id, item, where, field="output"), where.field("call_id"))]


def use_block(part: dict[str, Any], where: Where) -> Block:
    """Read a replayed `tool_use` block of the Messages API."""
    called = {"name": part.get("name"), "arguments": part.get("input")}
    return _use(_call_id(part.get("id"), where.field("id")), called, where)


def result_block(part: dict[str, Any], where: Where, readers: Readers = PARTS) -> Block:
    """Read a `tool_result` block of the Messages API; `readers` are for its content."""
    return _result(
        _call_id(part.get("tool_use_id"), where.field("tool_use_id")), part, where, readers=readers
    )


def _are_results(parts: Any) -> bool:
    return isinstance(parts, list) and any(
        isinstance(part, dict) and part.get("type") == "tool_result" for part in parts
    )


def _call_id(value: Any, where: Where) -> str:
    if not isinstance(value, str) or is_blank(value):
        raise invalid_field(where, "Expected the id of a tool call.")
    return repair_text(value)


def _call(call: dict[str, Any], where: Where) -> ContentPart:
    if call.get("type") == "custom" and isinstance(call.get("custom"), dict):
        called = {
            "name": call["custom"].get("name"),
            "arguments": {RAW_INPUT: call["custom"].get(RAW_INPUT) or ""},
        }
        call_id = _call_id(call.get("id"), where.field("id"))
        return ContentPart(_use(call_id, called, where.field("custom")), where.field("id"))
    if call.get("type") not in (None, "function"):
        problem = f"Calls of type {quote(call['type'])} are not supported; only function calls are."
        raise unsupported_field(where.field("type"), problem)
    call_id = _call_id(call.get("id"), where.field("id"))
    return ContentPart(_use(call_id, call.get("function"), where.field("function")), where.field("id"))


def _use(call_id: str, called: Any, where: Where) -> Block:
    if not isinstance(called, dict):
        raise invalid_field(where, "Expected an object with `name` and `arguments`.")
    arguments = _arguments(called.get("arguments"), where.field("arguments"))
    return {"type": "tool_use", "id": call_id, "name": _tool_name(called, where), "input": arguments}


def _tool_name(called: dict[str, Any], where: Where) -> str:
    name = called.get("name")
    if not isinstance(name, str) or is_blank(name):
        raise invalid_field(where.field("name"), "Expected the name of a tool.")
    return repair_text(name)


def _arguments(given: Any, where: Where) -> dict[str, Any]:
    value = _parse(given, where) if isinstance(given, str) else given
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid_field(where, "Expected a JSON object.")
    arguments: dict[str, Any] = repair_json(value, where)
    return arguments


def _parse(text: str, where: Where) -> Any:
    if is_blank(text):
        return None
    try:
        return loads(text)
    except ValueError:
        raise invalid_field(where, "Expected a JSON object, but the text is not valid JSON.") from None


def _result(
    call_id: str,
    message: dict[str, Any],
    where: Where,
    *,
    field: str = "content",
    readers: Readers = PARTS,
) -> Block:
    result: Block = {"type": "tool_result", "tool_use_id": call_id}
    blocks = read_blocks(message.get(field), where.field(field), readers)
    if message.get("is_error") is True:
        blocks = blocks or [{"type": "text", "text": NO_MESSAGE}]
        result["is_error"] = True
    if blocks:
        result["content"] = blocks
    return result


_USER: Readers = {**PARTS, "tool_result": result_block}
_ASSISTANT: Readers = {
    **TEXTS,
    "refusal": refusal_part,
    "tool_use": use_block,
    # The API accepts only signed thinking, and no client keeps the signature.
    **dict.fromkeys(("thinking", "redacted_thinking", "reasoning"), skip_part),
}
