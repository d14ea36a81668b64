"""Read images and files as Messages API blocks.

Nothing is fetched: an http(s) URL is passed on to the API unchanged. The type of a file is read from its content,
because the label that clients send is often wrong, and the API rejects an image with a wrong label. What cannot be read
is refused in the newest message. In older ones it becomes a line of text, so that it does not end the conversation.
Limits: https://platform.claude.com/docs/en/build-with-claude/vision and …/pdf-support
"""

import functools
from collections.abc import Callable
from typing import Any

from gateway.dialects.common.encoded_data import EncodedData, is_data_url, read_encoded
from gateway.dialects.common.field_errors import invalid_field, problem_of, unsupported_field
from gateway.dialects.common.file_kinds import UnreadableError, is_image, is_pdf
from gateway.dialects.common.file_text import decode_text
from gateway.dialects.common.image_cache import IMAGES
from gateway.dialects.common.text import is_blank, repair_text
from gateway.dialects.common.where import Where
from gateway.errors import InvalidRequest, NotFound
from gateway.turn import Block

MAX_FILE_BYTES = 32 * 1024 * 1024

Reader = Callable[[dict[str, Any], Where], Block]


def _never_refused_in_past(read: Reader) -> Reader:
    """Decorate a reader to return a line of text for a part of the past that it cannot read."""

    @functools.wraps(read)
    def read_or_replace(part: dict[str, Any], where: Where) -> Block:
        try:
            return read(part, where)
        except InvalidRequest as error:
            if not where.is_past:
                raise
            where.repair("unreadable-file")
            problem = problem_of(error)  # the path may be another one in the next request
            return {"type": "text", "text": f"[A file was left out of this conversation. {problem}]"}

    return read_or_replace


@_never_refused_in_past
def image_part(part: dict[str, Any], where: Where) -> Block:
    """Read an `image_url` or `input_image` part. The URL is bare or in an object; `detail` has no counterpart."""
    if part.get("file_id"):
        return _read_stored_file(part, where)
    where = where.field("image_url")
    url = part.get("image_url")
    if isinstance(url, dict):
        where, url = where.field("url"), url.get("url")
    return read_image(url, where)


@_never_refused_in_past
def image_block(part: dict[str, Any], where: Where) -> Block:
    """Read an `image` block of the Messages API, with a base64, url or file source, or one of MCP, with `data`."""
    if "source" not in part and isinstance(part.get("data"), str):
        return read_image(part["data"], where.field("data"), part.get("mimeType"))
    source, where = _source(part, where, ("base64", "url", "file"))
    if source["type"] == "file":
        return _read_stored_file(source, where)
    field = "url" if source["type"] == "url" else "data"
    return read_image(source.get(field), where.field(field), source.get("media_type"))


@_never_refused_in_past
def file_part(part: dict[str, Any], where: Where) -> Block:
    """Read chat's `file` part, `{"file": {"file_data" or "file_id", "filename"}}`."""
    file = part.get("file")
    if not isinstance(file, dict):
        raise invalid_field(where.field("file"), "Expected an object.")
    return input_file_part(file, where.field("file"))


@_never_refused_in_past
def input_file_part(file: dict[str, Any], where: Where) -> Block:
    """Read the Responses API's `input_file` part, or the inside of a `file` part: a PDF, text or an image."""
    title = file.get("filename")
    if file.get("file_id"):
        return _read_stored_file(file, where, title)
    if file.get("file_data") is None and file.get("file_url") is not None:
        where = where.field("file_url")
        return _document(_url_source(_text(file["file_url"], where), where), title)
    return read_file(file.get("file_data"), where.field("file_data"), title)


@_never_refused_in_past
def document_block(part: dict[str, Any], where: Where) -> Block:
    """Read a `document` block of the Messages API, with a base64, url, text or file source."""
    source, where = _source(part, where, ("base64", "url", "text", "file"))
    title = part.get("title")
    if source["type"] == "file":
        return _read_stored_file(source, where, title or "")
    if source["type"] == "url":
        where = where.field("url")
        return _document(_url_source(_text(source.get("url"), where), where), title)
    where = where.field("data")
    if source["type"] == "text":
        return _document(_text_source(_text(source.get("data"), where), where), title)
    return read_file(source.get("data"), where, title, source.get("media_type"))


@_never_refused_in_past
def resource_block(part: dict[str, Any], where: Where) -> Block:
    """Read a `resource` block of MCP, whose `resource` has a `uri` and either `text` or a base64 `blob`.

    https://modelcontextprotocol.io/specification/2025-06-18/schema#embeddedresource
    """
    resource = part.get("resource")
    where = where.field("resource")
    if not isinstance(resource, dict):
        raise invalid_field(where, "Expected an object.")
    if isinstance(resource.get("text"), str):
        return _document(_text_source(resource["text"], where.field("text")), resource.get("uri"))
    return read_file(resource.get("blob"), where.field("blob"), resource.get("uri"), resource.get("mimeType"))


def read_image(value: Any, where: Where, media_type: Any = None) -> Block:
    """Read the URL, the data URL or the base64 of an image. A PDF becomes a document, since some clients mix them up.

    Raises InvalidRequest.
    """
    url = _text(value, where)
    if url[:8].lower().startswith(("http://", "https://")):
        return {"type": "image", "source": _url_source(url, where)}
    encoded = _encoded(url, where, media_type)
    if is_pdf(encoded.decode_head()):
        where.repair("image-type")
        return _document(_pdf_source(encoded, where), None)
    return _image(encoded, where)


def read_file(value: Any, where: Where, title: Any = None, media_type: Any = None) -> Block:
    """Read the data URL or the base64 of a PDF, a text or an image. Raises InvalidRequest."""
    return _read_any(_encoded(_text(value, where), where, media_type), where, title)


def _read_any(encoded: EncodedData, where: Where, title: Any) -> Block:
    head = encoded.decode_head()
    if is_pdf(head):
        return _document(_pdf_source(encoded, where), title)
    if is_image(head):
        return _image(encoded, where)
    try:
        text, is_converted = decode_text(encoded.decode(), encoded.charset)
    except UnreadableError as error:
        raise invalid_field(where, str(error)) from None
    if is_converted:
        where.repair("text-decoded")
    return _document(_text_source(text, where), title)


def _read_stored_file(part: dict[str, Any], where: Where, title: Any = None) -> Block:
    """Read the file with the id in `file_id`. Its own name is the title, unless the client gives another one or ""."""
    where = where.field("file_id")
    file_id = _text(part.get("file_id"), where)
    if where.notes.read_file is None:
        raise unsupported_field(where, "Uploaded files are not supported here. Send the content instead.")
    try:
        content = where.notes.read_file(file_id)
    except NotFound as error:
        missing = invalid_field(
            where, f"{error.message} It was deleted, has expired, or belongs to another key."
        )
        missing.code = error.code
        raise missing from None
    if not content.data:
        raise invalid_field(where, "The file is empty.")
    kind, _, charset = content.content_type.partition("; charset=")
    label = kind if kind.startswith("image/") else ""
    return _read_any(
        EncodedData(content.data, label, charset or None), where, content.filename if title is None else title
    )


def _source(part: dict[str, Any], where: Where, kinds: tuple[str, ...]) -> tuple[dict[str, Any], Where]:
    source, where = part.get("source"), where.field("source")
    if not isinstance(source, dict):
        raise invalid_field(where, "Expected an object.")
    if source.get("type") not in kinds:
        raise unsupported_field(where.field("type"), f"The type must be one of: {', '.join(kinds)}.")
    return source, where


def _text(value: Any, where: Where) -> str:
    if not isinstance(value, str) or is_blank(value):
        raise invalid_field(where, "Expected a string that is not blank.")
    return value


def _document(source: Block, title: Any) -> Block:
    block: Block = {"type": "document", "source": source}
    if isinstance(title, str) and not is_blank(title):
        block["title"] = repair_text(title)
    return block


def _url_source(url: str, where: Where) -> Block:
    if not url[:8].lower().startswith(("http://", "https://")):
        raise invalid_field(where, "Expected a data URL or an http(s) URL.")
    return {"type": "url", "url": repair_text(url)}


def _text_source(text: str, where: Where) -> Block:
    if is_blank(text):
        raise invalid_field(where, "The file is empty.")
    return {"type": "text", "media_type": "text/plain", "data": repair_text(text)}


def _encoded(text: str, where: Where, media_type: Any) -> EncodedData:
    try:
        encoded = read_encoded(text)
    except UnreadableError as error:
        if is_data_url(text):
            raise invalid_field(where, str(error)) from None
        raise invalid_field(where, "Expected base64, a data URL or an http(s) URL.") from None
    if not encoded.media_type and isinstance(media_type, str):
        return encoded._replace(media_type=media_type.lower())
    return encoded


def _pdf_source(encoded: EncodedData, where: Where) -> Block:
    size = encoded.byte_count
    if size > MAX_FILE_BYTES:
        raise invalid_field(where, f"The file has {size} bytes; at most {MAX_FILE_BYTES} are allowed.")
    return {"type": "base64", "media_type": "application/pdf", "data": encoded.data}


def _image(encoded: EncodedData, where: Where) -> Block:
    try:
        image = IMAGES.prepare(encoded.data)
    except UnreadableError as error:
        raise invalid_field(where, str(error)) from None
    if image.is_changed:
        where.repair("image-scaled")
    elif encoded.media_type not in ("", image.media_type, "image/jpg"):
        where.repair("image-type")
    return {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": image.data}}
