"""A chat message's content as Messages API blocks.

Text is passed on byte for byte. Blank text is left out: it says nothing, and the Messages API refuses
it ("text content blocks must be non-empty").
"""

from __future__ import annotations

from typing import Any

from gateway.errors import InvalidRequest, UnsupportedParameter
from gateway.turn import Block

# Parts that OpenAI knows and that cannot be passed on.
_UNSUPPORTED_PARTS = ("image_url", "file", "input_audio")


def blocks(message: dict[str, Any], where: str) -> list[Block]:
    """The non-blank blocks of a user or assistant message.

    `where` is the message's path, `messages[3]`. Raises UnsupportedParameter or InvalidRequest, naming the
    part.
    """
    texts = _texts(message.get("content"), message["role"], f"{where}.content")
    if message["role"] == "assistant":
        # An answer that was refused is replayed with its text here and content null.
        texts.append(well_formed(message.get("refusal") or ""))
    return [{"type": "text", "text": text} for text in texts if not is_blank(text)]


def system_text(message: dict[str, Any], where: str) -> str:
    """The text of a system or developer message, its parts concatenated. Raises as `blocks` does."""
    return "".join(_texts(message.get("content"), message["role"], f"{where}.content"))


def is_blank(text: str) -> bool:
    """Whether `text` is empty or white space only."""
    return not text or text.isspace()


def well_formed(text: str) -> str:
    """`text` with lone halves of surrogate pairs replaced by U+FFFD.

    Clients that cut a string inside an emoji send them; the API refuses the whole request for one.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _texts(content: Any, role: str, where: str) -> list[str]:
    if not content:
        return []
    if isinstance(content, str):
        return [well_formed(content)]
    return [_part_text(part, role, f"{where}[{index}]") for index, part in enumerate(content)]


def _part_text(part: dict[str, Any], role: str, where: str) -> str:
    kind = part.get("type")
    if kind == "text" or (kind == "refusal" and role == "assistant"):
        return _string(part, kind, where)
    if kind in _UNSUPPORTED_PARTS:
        problem = f"Content parts of type '{kind}' are not supported."
        raise UnsupportedParameter(problem, param=f"{where}.{kind}")
    raise InvalidRequest(f"Invalid '{where}.type': {_unknown(kind, role)}", param=f"{where}.type")


def _string(part: dict[str, Any], key: str, where: str) -> str:
    text = part.get(key)
    if not isinstance(text, str):
        raise InvalidRequest(f"Invalid '{where}.{key}': Expected a string.", param=f"{where}.{key}")
    return well_formed(text)


def _unknown(kind: Any, role: str) -> str:
    if not isinstance(kind, str):
        return "Every content part needs a type."
    return f"Messages of role '{role}' have no content parts of type '{kind[:80]}'."
