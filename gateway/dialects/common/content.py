"""Read a message's content as Messages API blocks.

Text is passed on byte for byte. Blank text is dropped, because the Messages API rejects it ("text content blocks must
be non-empty"). Each type of part has a reader; the types that are allowed depend on the role. Clients mix the APIs, so
parts of the Responses and Messages APIs are understood as well as chat's own.

>>> read_blocks([{"type": "input_text", "text": "Hi"}], Where("messages[0].content"))
[{'type': 'text', 'text': 'Hi'}]
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.dialects.common import media
from gateway.dialects.common.field_errors import invalid_field, quote, unsupported_field
from gateway.dialects.common.text import is_blank, read_string, repair_text
from gateway.dialects.common.unreadable import describe
from gateway.dialects.common.where import Where
from gateway.errors import InvalidRequest
from gateway.turn import Block


@dataclass(slots=True)
class ContentPart:
    """A block, with the place of the field that it was read from, for repairs made later.

    `tool` is the name of the tool that a result says it comes from, "" if it says none. `is_note` marks the text of a
    system message, which stands in the user's turn (see `system_notes`).
    """

    block: Block
    where: Where
    tool: str = ""
    is_note: bool = False


Reader = Callable[[dict[str, Any], Where], Block | None]
Readers = Mapping[str, Reader]


def text_block(text: str) -> Block | None:
    """Return a text block; None for blank text."""
    return None if is_blank(text) else {"type": "text", "text": text}


def skip_part(part: dict[str, Any], where: Where) -> Block | None:
    """Read a part that is not passed on to the model."""
    return None


def refusal_part(part: dict[str, Any], where: Where) -> Block | None:
    """Read a replayed refusal of the assistant."""
    return text_block(read_string(part, "refusal", where))


def text_part(part: dict[str, Any], where: Where) -> Block | None:
    """Read a part with text."""
    return text_block(read_string(part, "text", where))


#: Parts with text. System messages may have no other parts.
TEXTS: Readers = {"text": text_part, "input_text": text_part, "output_text": text_part}

#: Parts of user messages and of tool results.
PARTS: Readers = {
    **TEXTS,
    "image_url": media.image_part,
    "input_image": media.image_part,
    "image": media.image_block,
    "file": media.file_part,
    "input_file": media.input_file_part,
    "document": media.document_block,
    "resource": media.resource_block,
}


def search_result(part: dict[str, Any], where: Where) -> Block:
    """Read a `search_result` block of the Messages API, which the model takes as it is."""
    texts = [text for text in read_texts(part.get("content"), where.field("content")) if not is_blank(text)]
    if not texts:
        raise invalid_field(where.field("content"), "Expected text.")
    named = {name: read_string(part, name, where) for name in ("source", "title")}
    return {"type": "search_result", **named, "content": [{"type": "text", "text": text} for text in texts]}


#: Parts of tool results. A result is the word of a tool, so a part of it that cannot be read becomes text.
RESULT_PARTS: Readers = {**PARTS, "computer_screenshot": media.image_part, "search_result": search_result}

# Types that exist, but not here or not in this role.
_KNOWN = {*PARTS, "input_audio"}


def read_parts(content: Any, where: Where, readers: Readers) -> list[ContentPart]:
    """Return the blocks of the content at `where`, which is a string, a list of parts or null.

    A part of the past that cannot be read becomes text. Raises UnsupportedParameter or InvalidRequest for other parts,
    naming the part.
    """
    if isinstance(content, str):
        return read_text(content, where)
    found: list[ContentPart] = []
    for index, part in enumerate(_parts(content, where)):
        place = where.item(index)
        block = _read_part(part, place, readers)
        if block is not None:
            found.append(ContentPart(block, place))
    return found


def read_text(text: str, where: Where) -> list[ContentPart]:
    """Return the block of content that is a string; none for blank text."""
    block = text_block(repair_text(text))
    return [ContentPart(block, where)] if block else []


def read_blocks(content: Any, where: Where, readers: Readers = PARTS) -> list[Block]:
    """Return the blocks as `read_parts` does, without their places."""
    return [part.block for part in read_parts(content, where, readers)]


def read_joined_text(content: Any, where: Where) -> str:
    """Return the text of a system message with its parts concatenated, blank ones included."""
    if isinstance(content, str):
        return repair_text(content)
    return "".join(read_texts(content, where))


def read_texts(content: Any, where: Where) -> list[str]:
    """Return the text of each part of a list that may hold only text. Raises as `read_parts` does."""
    found = []
    for index, part in enumerate(_parts(content, where)):
        block = _read_part(part, where.item(index), TEXTS)
        found.append(block["text"] if block else _blank_text(part))
    return found


def _blank_text(part: Any) -> str:
    return str(part["text"]) if isinstance(part, dict) else ""


def _parts(content: Any, where: Where) -> list[Any]:
    if content is None:
        return []
    if isinstance(content, list):
        return content
    if where.is_past:
        return [content]
    raise invalid_field(where, "Expected a string or a list of content parts.")


def _read_part(part: Any, where: Where, readers: Readers) -> Block | None:
    try:
        return _reader(part, where, readers)(part, where)
    except InvalidRequest:
        if not where.is_past:
            raise
    where.repair("part-as-text")
    return text_block(describe(part))


def _reader(part: Any, where: Where, readers: Readers) -> Reader:
    if not isinstance(part, dict):
        raise invalid_field(where, "Expected a content part, an object with a `type`.")
    kind = part.get("type")
    if not isinstance(kind, str):
        raise invalid_field(where.field("type"), "Every content part needs a type.")
    if kind in readers:
        return readers[kind]
    problem = f"Parts of type {quote(kind)} are not supported here. Remove {where}."
    raise (
        unsupported_field(where.field(kind), problem)
        if kind in _KNOWN
        else invalid_field(where.field("type"), problem)
    )
