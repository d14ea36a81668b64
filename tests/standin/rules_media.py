"""Rules for images and documents."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
MAX_IMAGE_BYTES = 5 * 1024 * 1024
_DOCUMENT_SOURCES = ("base64", "text", "url", "content", "file")
_MAGIC = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}


def check_image(where: str, block: dict[str, Any]) -> Iterator[str]:
    """Yield errors of an `image` block: unknown source or type, invalid base64, more than 5 MB, or a wrong label."""
    source = block.get("source")
    if not isinstance(source, dict) or source.get("type") not in ("base64", "url", "file"):
        yield f"{where}.image.source: Input tag should be one of 'base64', 'url', 'file'"
    elif source["type"] == "base64":
        yield from _encoded_image(f"{where}.image.source.base64", source)


def _encoded_image(where: str, source: dict[str, Any]) -> Iterator[str]:
    if source.get("media_type") not in IMAGE_TYPES:
        yield f"{where}.media_type: Input should be one of {', '.join(IMAGE_TYPES)}"
        return
    data = _decode(source.get("data"))
    if not data:
        yield f"{where}.data: Invalid base64 data"
    elif len(data) > MAX_IMAGE_BYTES:
        yield f"{where}: image exceeds 5 MB maximum: {len(data)} bytes > {MAX_IMAGE_BYTES} bytes"
    elif _sniff(data) not in (None, source["media_type"]):
        yield f"{where}: the media type is {source['media_type']}, but the image appears to be {_sniff(data)}"


def _decode(data: Any) -> bytes | None:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return None


def _sniff(data: bytes) -> str | None:
    return next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)


def check_document(where: str, block: dict[str, Any]) -> Iterator[str]:
    """Yield errors of a `document` block: an unknown source, or base64 data that is not a PDF."""
    source = block.get("source")
    if not isinstance(source, dict) or source.get("type") not in _DOCUMENT_SOURCES:
        yield f"{where}.document.source: Input tag should be one of {', '.join(_DOCUMENT_SOURCES)}"
    elif source["type"] == "base64" and source.get("media_type") != "application/pdf":
        yield f"{where}.document.source.base64.media_type: Input should be 'application/pdf'"
    elif source["type"] == "base64" and not _decode(source.get("data")):
        yield f"{where}.document.source.base64.data: Invalid base64 data"
