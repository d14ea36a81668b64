"""A message's content as Messages API blocks.

Text is passed on byte for byte. Blank text is left out: it says nothing, and the Messages API refuses it
("text content blocks must be non-empty"). A part is read by the reader for its type; which types there are
depends on the role. Besides chat's own parts, those of the Responses and the Messages API are understood,
because clients mix them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.dialects.common import media
from gateway.dialects.common.field_errors import invalid, quoted, unsupported
from gateway.dialects.common.text import is_blank, string, well_formed
from gateway.turn import Block


@dataclass(frozen=True, slots=True)
class ContentPart:
    """A block and the path of the field it comes from, for errors found later."""

    block: Block
    where: str


Reader = Callable[[dict[str, Any], str], Block | None]
Readers = Mapping[str, Reader]


def text_block(text: str) -> Block | None:
    """A text block; None for blank text."""
    return None if is_blank(text) else {"type": "text", "text": text}


def left_out(part: dict[str, Any], where: str) -> Block | None:
    """Reads a part that has no place in what the model is sent."""
    return None


def refusal_part(part: dict[str, Any], where: str) -> Block | None:
    """The assistant's own refusal, replayed."""
    return text_block(string(part, "refusal", where))


def _text_part(part: dict[str, Any], where: str) -> Block | None:
    return text_block(string(part, "text", where))


#: Parts with text, in system messages the only ones.
TEXTS: Readers = {"text": _text_part, "input_text": _text_part, "output_text": _text_part}

#: Parts of users' messages and of tool results.
PARTS: Readers = {
    **TEXTS,
    "image_url": media.image_part,
    "input_image": media.image_part,
    "image": media.image_block,
    "file": media.file_part,
    "input_file": media.input_file_part,
    "document": media.document_block,
}

# Parts that are known, and of no use here or in this role.
_KNOWN = {*PARTS, "input_audio"}


def pieces(content: Any, where: str, readers: Readers) -> list[ContentPart]:
    """The blocks of `content`, a string, a list of parts or null, at path `where`.

    Raises UnsupportedParameter or InvalidRequest, naming the part.
    """
    if isinstance(content, str):
        block = text_block(well_formed(content))
        return [ContentPart(block, where)] if block else []
    found: list[ContentPart] = []
    for index, part in enumerate(_parts(content, where)):
        place = f"{where}[{index}]"
        block = _reader(part, place, readers)(part, place)
        if block is not None:
            found.append(ContentPart(block, place))
    return found


def blocks(content: Any, where: str, readers: Readers = PARTS) -> list[Block]:
    """As `pieces`, the blocks alone."""
    return [piece.block for piece in pieces(content, where, readers)]


def joined_text(content: Any, where: str) -> str:
    """The text of a system message, its parts concatenated, blank ones too. Raises as `pieces` does."""
    if isinstance(content, str):
        return well_formed(content)
    return "".join(texts(content, where))


def texts(content: Any, where: str) -> list[str]:
    """The text of each part of a list that may hold nothing else. Raises as `pieces` does."""
    found = []
    for index, part in enumerate(_parts(content, where)):
        _reader(part, f"{where}[{index}]", TEXTS)
        found.append(string(part, "text", f"{where}[{index}]"))
    return found


def _parts(content: Any, where: str) -> list[dict[str, Any]]:
    if content is None:
        return []
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise invalid(where, "Expected a string or a list of content parts.")
    return content


def _reader(part: dict[str, Any], where: str, readers: Readers) -> Reader:
    kind = part.get("type")
    if not isinstance(kind, str):
        raise invalid(f"{where}.type", "Every content part needs a type.")
    if kind in readers:
        return readers[kind]
    problem = f"There are no parts of type {quoted(kind)} here."
    raise unsupported(f"{where}.{kind}", problem) if kind in _KNOWN else invalid(f"{where}.type", problem)
