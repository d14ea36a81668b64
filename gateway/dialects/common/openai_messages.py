"""Read one chat message or one item of the Responses API at a time, with its tool calls and their results.

Calls and results belong to the past, so none of them is refused: see `arguments` and `tool_rounds` for their
repairs.
"""

from typing import Any

from gateway.approvals import Decision, decision_block
from gateway.dialects.common.approval_calls import read_call, read_decision
from gateway.dialects.common.arguments import read_arguments
from gateway.dialects.common.content import (
    PARTS,
    RESULT_PARTS,
    TEXTS,
    ContentPart,
    Readers,
    read_blocks,
    read_parts,
    refusal_part,
    skip_part,
    text_block,
)
from gateway.dialects.common.hosted_blocks import SEALED, restore_blocks
from gateway.dialects.common.media import image_block, image_part
from gateway.dialects.common.text import is_blank, repair_text
from gateway.dialects.common.tool_call_format import RAW_INPUT
from gateway.dialects.common.unreadable import describe
from gateway.dialects.common.where import Where
from gateway.errors import InvalidRequest
from gateway.remote import remote_block
from gateway.turn import Block

#: The text of a failed tool's result that has none: the API rejects an error without content.
NO_MESSAGE = "(The tool failed and gave no message.)"

#: The text of a remote tool's result that is not known.
NO_OUTPUT = "(The tool returned nothing.)"

#: The name of a tool in a call that has none.
UNKNOWN_TOOL = "unknown_tool"


def read_user(message: dict[str, Any], where: Where) -> list[ContentPart]:
    """Read a user message, which may hold `tool_result` blocks of the Messages API, and `images` as Ollama has them."""
    found = read_parts(message.get("content"), where.field("content"), _USER)
    if message.get("images"):
        found += _images(message["images"], where.field("images"))
    speaker = message.get("name")
    if isinstance(speaker, str) and not is_blank(speaker) and any(_is_spoken(part) for part in found):
        found.insert(
            0, ContentPart({"type": "text", "text": f"{repair_text(speaker)}:"}, where.field("name"))
        )
    return found


def read_assistant(message: dict[str, Any], where: Where) -> list[ContentPart]:
    """Read a replayed answer: its text, and its tool calls as `tool_use` blocks."""
    where = where.in_past()
    found = read_parts(message.get("content"), where.field("content"), _ASSISTANT)
    # A replayed refusal has its text here, and content null. A spoken answer has a transcript.
    for name, text in (("refusal", message.get("refusal")), ("audio", _transcript(message))):
        block = text_block(repair_text(text)) if isinstance(text, str) else None
        if block:
            found.append(ContentPart(block, where.field(name)))
    if SEALED in message:
        found = restore_blocks(message[SEALED], found, where.field(SEALED))
    calls = message.get("tool_calls")
    return found + _calls(calls, where.field("tool_calls")) if calls else found


def read_tool_message(message: dict[str, Any], where: Where) -> list[ContentPart]:
    """Read a tool's result. Some clients send it as `tool_result` blocks, which carry their own ids."""
    call_id, parts = message.get("tool_call_id"), message.get("content")
    if call_id is None and _are_results(parts):
        return read_user(message, where)
    result = _result(_call_id(call_id), message, where)
    texts = [block["text"] for block in result.get("content", ()) if block["type"] == "text"]
    if decided := read_decision(result["tool_use_id"], "".join(texts)):
        return [ContentPart(decision_block(*decided), where.field("tool_call_id"))]
    tool = message.get("name") or message.get("tool_name")
    return [ContentPart(result, where.field("tool_call_id"), tool if isinstance(tool, str) else "")]


def read_function_call(message: dict[str, Any], where: Where, call_id: str) -> ContentPart:
    """Read the deprecated `function_call` of an assistant message, which has no id of its own."""
    where = where.field("function_call")
    return ContentPart(_use(call_id, message["function_call"], where), where)


def read_function_message(message: dict[str, Any], where: Where) -> ContentPart:
    """Read the deprecated message with role `function`, which names its function instead of a call."""
    return ContentPart(_result("", message, where), where, str(message.get("name") or UNKNOWN_TOOL))


def read_call_item(item: dict[str, Any], where: Where) -> list[ContentPart]:
    """Read a `function_call` item of the Responses API."""
    return [ContentPart(_use(_call_id(item.get("call_id")), item, where), where.field("call_id"))]


def read_output_item(item: dict[str, Any], where: Where) -> list[ContentPart]:
    """Read a `function_call_output` item of the Responses API, or the decision about a call."""
    decision = item.get("decision")
    if isinstance(decision, Decision):
        block = decision_block(_call_id(item.get("call_id")), decision)
        return [ContentPart(block, where.field("approval_request_id"))]
    result = _result(_call_id(item.get("call_id")), item, where, field="output")
    return [ContentPart(result, where.field("call_id"))]


def read_remote_call(item: dict[str, Any], where: Where) -> tuple[ContentPart, ContentPart]:
    """Read a call of a remote tool, and its result."""
    call_id = _call_id(item.get("call_id"))
    call = ContentPart(_use(call_id, item, where), where.field("id"))
    text = item.get("output")
    content = (
        [{"type": "text", "text": repair_text(text)}] if isinstance(text, str) and not is_blank(text) else []
    )
    block = remote_block(call_id, content or [{"type": "text", "text": NO_OUTPUT}], is_error=item["is_error"])
    return call, ContentPart(block, where.field("output"))


def use_block(part: dict[str, Any], where: Where) -> Block:
    """Read a replayed `tool_use` block of the Messages API."""
    called = {"name": part.get("name"), "arguments": part.get("input")}
    return _use(_call_id(part.get("id")), called, where)


def result_block(part: dict[str, Any], where: Where, readers: Readers = RESULT_PARTS) -> Block:
    """Read a `tool_result` block of the Messages API; `readers` are for its content."""
    return _result(_call_id(part.get("tool_use_id")), part, where, readers=readers)


def _images(given: Any, where: Where) -> list[ContentPart]:
    """Read Ollama's `images`, a list of images in base64. An image that cannot be read is named as ignored."""
    found = []
    for index, image in enumerate(given if isinstance(given, list) else [given]):
        place = where.item(index)
        try:
            found.append(ContentPart(_image(image, place), place))
        except InvalidRequest:
            place.ignore()
    return found


def _image(image: Any, where: Where) -> Block:
    if isinstance(image, dict):
        return image_part(image, where)
    if isinstance(image, str) and image.startswith(("data:", "http:", "https:")):
        return image_part({"image_url": image}, where)
    return image_block({"source": {"type": "base64", "data": image}}, where)


def _is_spoken(part: ContentPart) -> bool:
    return bool(part.block["type"] != "tool_result")


def _transcript(message: dict[str, Any]) -> Any:
    audio = message.get("audio")
    return audio.get("transcript") if isinstance(audio, dict) else None


def _are_results(parts: Any) -> bool:
    return isinstance(parts, list) and any(
        isinstance(part, dict) and part.get("type") == "tool_result" for part in parts
    )


def _call_id(value: Any) -> str:
    """Return the id of a call, "" if it has none."""
    if isinstance(value, int):
        return str(value)
    return repair_text(value) if isinstance(value, str) and not is_blank(value) else ""


def _calls(given: Any, where: Where) -> list[ContentPart]:
    calls = given if isinstance(given, list) else [given]
    return [_call(call, where.item(index)) for index, call in enumerate(calls) if call]


def _call(call: Any, where: Where) -> ContentPart:
    """Read a call of a function, or of a custom tool, whose input is text."""
    kind = (call.get("type") or "function") if isinstance(call, dict) else ""
    if kind not in ("function", "custom") and not (kind and "name" in call):
        where.repair("part-as-text")
        return ContentPart({"type": "text", "text": describe(call)}, where)
    called = call.get(kind) or call
    return ContentPart(_use(_call_id(call.get("id")), called, where.field("function")), where.field("id"))


def _use(call_id: str, called: Any, where: Where) -> Block:
    called = called if isinstance(called, dict) else {}
    given = {RAW_INPUT: called[RAW_INPUT]} if RAW_INPUT in called else called.get("arguments")
    arguments, name = read_arguments(given, where.field("arguments")), _tool_name(called, where)
    call_id, name, arguments = read_call(call_id, name, arguments) or (call_id, name, arguments)
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def _tool_name(called: dict[str, Any], where: Where) -> str:
    name = called.get("name")
    if isinstance(name, str) and not is_blank(name):
        return repair_text(name)
    where.repair("tool-name")
    return UNKNOWN_TOOL


def _result(
    call_id: str,
    message: dict[str, Any],
    where: Where,
    *,
    field: str = "content",
    readers: Readers = RESULT_PARTS,
) -> Block:
    """Return a result. A tool gave it, not the client, so no part of it is refused."""
    result: Block = {"type": "tool_result", "tool_use_id": call_id}
    blocks = read_blocks(message.get(field), where.field(field).in_past(), readers)
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
