"""Read images and files as Messages API blocks.

Nothing is fetched: an http(s) URL is passed on to the API unchanged. The type of an image is read from its first bytes,
because the label that clients send is often wrong, and the API rejects an image with a wrong label.
Limits: https://platform.claude.com/docs/en/build-with-claude/vision and …/pdf-support
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from gateway.dialects.common.field_errors import invalid_field, unsupported_field
from gateway.dialects.common.text import is_blank, repair_text
from gateway.dialects.common.where import Where
from gateway.turn import Block

MAX_IMAGE_BYTES = 5 * 1024 * 1024
MAX_FILE_BYTES = 32 * 1024 * 1024

_PDF_MAGIC = b"%PDF-"
_PDF_MAGIC_WITHIN = 1024  # bytes; PDF readers accept this much before the magic number
_MAGIC = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}

Source = dict[str, str]
SourceReader = Callable[[str, Where], Source]


def image_part(part: dict[str, Any], where: Where) -> Block:
    """Read an `image_url` or `input_image` part. The URL is bare or in an object; `detail` has no counterpart."""
    _refuse_file_id(part, where)
    where = where.field("image_url")
    url = part.get("image_url")
    if isinstance(url, dict):
        where, url = where.field("url"), url.get("url")
    return {"type": "image", "source": _image_source(_text(url, where), where)}


def image_block(part: dict[str, Any], where: Where) -> Block:
    """Read an `image` block of the Messages API, with a base64 or url source."""
    return {"type": "image", "source": _source(part, where, _IMAGE_SOURCES)}


def file_part(part: dict[str, Any], where: Where) -> Block:
    """Read chat's `file` part, `{"file": {"file_data", "filename"}}`."""
    file = part.get("file")
    if not isinstance(file, dict):
        raise invalid_field(where.field("file"), "Expected an object.")
    return input_file_part(file, where.field("file"))


def input_file_part(file: dict[str, Any], where: Where) -> Block:
    """Read the Responses API's `input_file` part, or the inside of a `file` part: a PDF or text."""
    _refuse_file_id(file, where)
    title = file.get("filename")
    if file.get("file_data") is None and file.get("file_url") is not None:
        where = where.field("file_url")
        return _document(_url_source(_text(file["file_url"], where), where), title)
    where = where.field("file_data")
    return _document(_file_source(_text(file.get("file_data"), where), where), title)


def document_block(part: dict[str, Any], where: Where) -> Block:
    """Read a `document` block of the Messages API, with a base64, url or text source."""
    return _document(_source(part, where, _DOCUMENT_SOURCES), part.get("title"))


def _refuse_file_id(part: dict[str, Any], where: Where) -> None:
    if part.get("file_id") is not None:
        raise unsupported_field(
            where.field("file_id"), "Uploaded files are not supported. Send the content instead."
        )


def _source(part: dict[str, Any], where: Where, readers: Mapping[str, SourceReader]) -> Source:
    source, where = part.get("source"), where.field("source")
    if not isinstance(source, dict):
        raise invalid_field(where, "Expected an object.")
    kind = source.get("type")
    if not isinstance(kind, str) or kind not in readers:
        raise unsupported_field(where.field("type"), f"The type must be one of: {', '.join(readers)}.")
    field = "url" if kind == "url" else "data"
    return readers[kind](_text(source.get(field), where.field(field)), where.field(field))


def _text(value: Any, where: Where) -> str:
    if not isinstance(value, str) or is_blank(value):
        raise invalid_field(where, "Expected a string that is not blank.")
    return value


def _document(source: Source, title: Any) -> Block:
    block: Block = {"type": "document", "source": source}
    if isinstance(title, str) and not is_blank(title):
        block["title"] = repair_text(title)
    return block


def _image_source(url: str, where: Where) -> Source:
    if _is_data_url(url):
        return _encoded_image(_payload(url, where), where)
    return _url_source(url, where)


def _url_source(url: str, where: Where) -> Source:
    if not url[:8].lower().startswith(("http://", "https://")):
        raise invalid_field(where, "Expected a data URL or an http(s) URL.")
    return {"type": "url", "url": repair_text(url)}


def _encoded_image(encoded: str, where: Where) -> Source:
    encoded, content = _decode(encoded, MAX_IMAGE_BYTES, where)
    media_type = _image_type(content)
    if media_type is None:
        raise invalid_field(where, "The image is not a PNG, JPEG, GIF or WebP file.")
    return {"type": "base64", "media_type": media_type, "data": encoded}


def _image_type(content: bytes) -> str | None:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC.items() if content.startswith(magic)), None)


def _file_source(data: str, where: Where) -> Source:
    encoded, content = _decode(_payload(data, where) if _is_data_url(data) else data, MAX_FILE_BYTES, where)
    if _PDF_MAGIC in content[:_PDF_MAGIC_WITHIN]:
        return {"type": "base64", "media_type": "application/pdf", "data": encoded}
    if _image_type(content):
        raise invalid_field(where, "The file is an image. Send it as an `image_url` part.")
    try:
        return _text_source(content.decode("utf-8-sig"), where)
    except UnicodeDecodeError:
        raise invalid_field(where, "The file is neither a PDF nor text in UTF-8.") from None


def _text_source(text: str, where: Where) -> Source:
    if "\0" in text:
        raise invalid_field(where, "The file is neither a PDF nor text in UTF-8.")
    if is_blank(text):
        raise invalid_field(where, "The file is empty.")
    return {"type": "text", "media_type": "text/plain", "data": repair_text(text)}


def _is_data_url(url: str) -> bool:
    return url[:5].lower() == "data:"


def _payload(url: str, where: Where) -> str:
    """Return the base64 in a data URL.

    https://datatracker.ietf.org/doc/html/rfc2397
    """
    head, comma, data = url.partition(",")
    if not comma:
        raise invalid_field(where, "The data URL has no comma before its data.")
    if head.lower().endswith(";base64"):
        return data
    return base64.b64encode(unquote_to_bytes(data)).decode()


def _decode(encoded: str, limit: int, where: Where) -> tuple[str, bytes]:
    """Return base64 that the API accepts, and its content. Line breaks and missing padding are repaired."""
    content = _b64decode(encoded)
    if content is None:
        encoded = "".join(encoded.split()).rstrip("=")
        encoded += "=" * (-len(encoded) % 4)
        content = _b64decode(encoded)
    if not content:
        raise invalid_field(where, "Expected non-empty base64 data.")
    if len(content) > limit:
        raise invalid_field(where, f"The content has {len(content)} bytes; at most {limit} are allowed.")
    return encoded, content


def _b64decode(encoded: str) -> bytes | None:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None


_IMAGE_SOURCES: dict[str, SourceReader] = {"base64": _encoded_image, "url": _image_source}
_DOCUMENT_SOURCES: dict[str, SourceReader] = {
    "base64": _file_source,
    "url": _url_source,
    "text": _text_source,
}
