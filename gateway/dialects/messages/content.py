"""Read a message's content blocks, in the shapes of the Messages API only.

https://platform.claude.com/docs/en/api/messages
"""

from typing import Any

from gateway.dialects.common import openai_messages
from gateway.dialects.common.content import (
    RESULT_PARTS,
    ContentPart,
    Readers,
    read_parts,
    search_result,
    text_part,
)
from gateway.dialects.common.field_errors import unsupported_field
from gateway.dialects.common.hosted_blocks import HOSTED_BLOCKS, arrange_hosted, cited_text
from gateway.dialects.common.media import document_block, image_block
from gateway.dialects.common.text import is_blank, repair_text
from gateway.dialects.common.tool_rounds import Utterance
from gateway.dialects.common.where import Where
from gateway.dialects.messages.remote_blocks import REMOTE_BLOCKS, split_rounds
from gateway.turn import THINKING, Block


def read_message(message: dict[str, Any], where: Where) -> list[Utterance]:
    """Return the blocks of a user or assistant message, in several messages if the gateway called tools in between.

    Raises UnsupportedParameter and InvalidRequest if the message is new.
    """
    if message["role"] == "user":
        return [("user", read_parts(message.get("content"), where, _USER))]
    parts = read_parts(message.get("content"), where, _ASSISTANT)
    if where.notes.has_remote_calls:
        return [
            (role, _arrange(found) if role == "assistant" else found) for role, found in split_rounds(parts)
        ]
    return [("assistant", _arrange(parts))]


def _arrange(parts: list[ContentPart]) -> list[ContentPart]:
    parts = arrange_hosted(parts)
    has_spoken = any(part.block["type"] not in THINKING for part in parts)
    return parts if has_spoken else []  # the CLI drops messages that only think


def _thinking(part: dict[str, Any], where: Where) -> Block | None:
    """Read a block of thinking. Without its signature, the API would reject it."""
    text, signature = part.get("thinking"), part.get("signature")
    if not isinstance(text, str) or not isinstance(signature, str) or is_blank(signature):
        where.ignore(once=True)
        return None
    return {"type": "thinking", "thinking": repair_text(text), "signature": signature}


def _redacted_thinking(part: dict[str, Any], where: Where) -> Block | None:
    data = part.get("data")
    if not isinstance(data, str) or is_blank(data):
        where.ignore(once=True)
        return None
    return {"type": "redacted_thinking", "data": data}


def _document(part: dict[str, Any], where: Where) -> Block:
    citations = part.get("citations")
    if isinstance(citations, dict) and citations.get("enabled"):
        where.field("citations").ignore()
        if not where.is_past:
            raise unsupported_field(where.field("citations"), "Citations are not supported. Disable them.")
    block = document_block(part, where)
    context = part.get("context")
    if block["type"] == "document" and isinstance(context, str) and not is_blank(context):
        block["context"] = repair_text(context)
    return block


def _result(part: dict[str, Any], where: Where) -> Block:
    return openai_messages.result_block(part, where, {**RESULT_PARTS, "document": _document})


_USER: Readers = {
    "text": text_part,
    "image": image_block,
    "document": _document,
    "search_result": search_result,
    "tool_result": _result,
}
_ASSISTANT: Readers = {
    **HOSTED_BLOCKS,
    **REMOTE_BLOCKS,
    "text": cited_text,
    "tool_use": openai_messages.use_block,
    "thinking": _thinking,
    "redacted_thinking": _redacted_thinking,
}
