"""A message's content blocks, in Anthropic's own shapes and no others. https://platform.claude.com/docs/en/api/messages"""

from __future__ import annotations

from typing import Any

from gateway.dialects.common import content, media
from gateway.dialects.common import openai_messages as messages
from gateway.dialects.common.content import ContentPart, Readers
from gateway.dialects.common.field_errors import unsupported
from gateway.dialects.common.text import is_blank, string, well_formed
from gateway.turn import Block


def pieces(message: dict[str, Any], where: str) -> list[ContentPart]:
    """The blocks of a user's or an assistant's message. Raises UnsupportedParameter or InvalidRequest."""
    return content.pieces(message.get("content"), where, _USER if message["role"] == "user" else _ASSISTANT)


def _text(part: dict[str, Any], where: str) -> Block | None:
    return content.text_block(string(part, "text", where))


def _document(part: dict[str, Any], where: str) -> Block:
    citations = part.get("citations")
    if isinstance(citations, dict) and citations.get("enabled"):
        raise unsupported(f"{where}.citations", "Answers come without citations here.")
    block = media.document_block(part, where)
    context = part.get("context")
    if isinstance(context, str) and not is_blank(context):
        block["context"] = well_formed(context)
    return block


def _result(part: dict[str, Any], where: str) -> Block:
    return messages.result_block(part, where, _PARTS)


_PARTS: Readers = {"text": _text, "image": media.image_block, "document": _document}
_USER: Readers = {**_PARTS, "tool_result": _result}
_ASSISTANT: Readers = {
    "text": _text,
    "tool_use": messages.use_block,
    # The API takes signed thinking only, and the CLI drops it from replayed messages.
    **dict.fromkeys(("thinking", "redacted_thinking"), content.left_out),
}
