"""The calls, results and citations of hosted tools in earlier answers.

They go back to the API as it wrote them, because it reads the encrypted content of the results. The Messages API's
clients send the blocks themselves. Clients of OpenAI's APIs send back what they got, in which the blocks are sealed: an
opaque text beside the fields that these APIs know. It holds nothing but the client's own conversation.

>>> sealed = seal_blocks([{"type": "text", "text": "Cats purr.", "citations": []}])
>>> open_blocks(sealed)
[{'type': 'text', 'text': 'Cats purr.', 'citations': []}]
"""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from typing import Any

from gateway.dialects.common.content import ContentPart, Readers, read_parts, text_block
from gateway.dialects.common.field_errors import invalid_field
from gateway.dialects.common.text import read_string, repair_json
from gateway.dialects.common.unreadable import describe
from gateway.dialects.common.where import Where
from gateway.lenient_json import dumps, loads
from gateway.turn import Block

#: The field of a message or an item that has sealed blocks.
SEALED = "encrypted_content"
#: Marks blocks that this gateway has sealed.
PREFIX = "gateway-blocks-1:"

CALL = "server_tool_use"
CITATION = "web_search_result_location"
_RESULTS = (
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
)
_SEALABLE = frozenset({"text", CALL, *_RESULTS})
_CALL_ID = re.compile(r"srvtoolu_[a-zA-Z0-9_]+")


def seal_blocks(blocks: Sequence[Block]) -> str:
    """Return blocks as an opaque text."""
    return PREFIX + base64.b64encode(dumps(blocks)).decode()


def open_blocks(sealed: Any) -> list[Block]:
    """Return the blocks in a sealed text; none if it was sealed elsewhere. Clients may have sealed others."""
    if not isinstance(sealed, str) or not sealed.startswith(PREFIX):
        return []
    try:
        blocks = loads(base64.b64decode(sealed.removeprefix(PREFIX), validate=True))
    except (binascii.Error, ValueError):
        return []
    blocks = blocks if isinstance(blocks, list) else []
    return [block for block in blocks if isinstance(block, dict) and block.get("type") in _SEALABLE]


def restore_blocks(sealed: Any, found: list[ContentPart], where: Where) -> list[ContentPart]:
    """Return the sealed blocks of an answer in place of its texts, unless the client has changed these."""
    blocks = open_blocks(sealed)
    if not blocks or _joined(blocks) != _joined(part.block for part in found):
        return found
    return arrange_hosted(read_parts(blocks, where, {**HOSTED_BLOCKS, "text": cited_text}))


def _joined(blocks: Iterable[Block]) -> str:
    return "".join(str(block.get("text")) for block in blocks if block["type"] == "text").strip()


def cited_text(part: dict[str, Any], where: Where) -> Block | None:
    """Read a text of an answer with its citations of search results. Other citations have no sources here."""
    block, given = text_block(read_string(part, "text", where)), part.get("citations")
    if block is not None and isinstance(given, list):
        cited = [one for one in given if isinstance(one, dict) and one.get("type") == CITATION]
        if cited:
            block["citations"] = repair_json(cited, where.field("citations"))
    return block


def arrange_hosted(parts: list[ContentPart], *, may_wait: bool = True) -> list[ContentPart]:
    """Return the parts of an answer in which calls without results, and results without calls, have become text.

    With `may_wait`, a call beside calls of the client's tools may wait for their results: the API runs it after them.
    """
    if not any(_is_hosted(part.block) for part in parts):
        return parts
    whole: set[int] = set()
    open_calls: dict[str, int] = {}
    for index, part in enumerate(parts):
        if part.block["type"] == CALL:
            open_calls[part.block["id"]] = index
        elif _is_result(part.block) and part.block["tool_use_id"] in open_calls:
            whole |= {index, open_calls.pop(part.block["tool_use_id"])}
    if may_wait and any(part.block["type"] == "tool_use" for part in parts):
        whole |= {*open_calls.values()}
    return [
        _as_text(part) if _is_hosted(part.block) and index not in whole else part
        for index, part in enumerate(parts)
    ]


def _call(part: dict[str, Any], where: Where) -> Block:
    """Read a call. Without a valid id, the API would reject it."""
    if not isinstance(part.get("id"), str) or not _CALL_ID.fullmatch(part["id"]):
        raise invalid_field(where.field("id"), "Expected the id of a call.")
    if not isinstance(part.get("name"), str) or not isinstance(part.get("input"), dict):
        raise invalid_field(where, "Expected a call with a name and an input.")
    return _native(part, where)


def _result(part: dict[str, Any], where: Where) -> Block:
    if not isinstance(part.get("tool_use_id"), str) or not isinstance(part.get("content"), list | dict):
        raise invalid_field(where, "Expected a result with the id of its call and a content.")
    return _native(part, where)


def _native(part: dict[str, Any], where: Where) -> Block:
    """Return the block as the API wrote it. The CLI sets the cache marks itself."""
    block: Block = repair_json(
        {name: value for name, value in part.items() if name != "cache_control"}, where
    )
    return block


def _is_hosted(block: Block) -> bool:
    return block["type"] == CALL or _is_result(block)


def _is_result(block: Block) -> bool:
    return block["type"] in _RESULTS


def _as_text(part: ContentPart) -> ContentPart:
    part.where.repair("part-as-text")
    return ContentPart({"type": "text", "text": describe(part.block)}, part.where)


#: The readers of an answer's blocks that hosted tools bring.
HOSTED_BLOCKS: Readers = {CALL: _call, **dict.fromkeys(_RESULTS, _result)}
