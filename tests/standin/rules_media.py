"""Rules for images and documents.

Limits: https://platform.claude.com/docs/en/build-with-claude/vision. The 5 MB are counted in base64, as users reported.
"""

import base64
import binascii
import io
from collections.abc import Iterator
from typing import Any

from PIL import Image

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
MAX_IMAGE_BYTES = 5 * 1024 * 1024
MAX_SIDE = 8000  # pixels
MANY_IMAGES = 20  # with more images than these, all of them have to be smaller
MAX_SIDE_MANY = 2000
MAX_IMAGES = 600
MAX_IMAGES_STANDARD = 100  # for models with a window of 200,000 tokens
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
    media_type, data = source.get("media_type"), source.get("data", "")
    if media_type not in IMAGE_TYPES:
        yield f"{where}.media_type: Input should be one of {', '.join(IMAGE_TYPES)}"
        return
    content = _decode(data)
    if not content:
        yield f"{where}.data: Invalid base64 data"
    elif len(data) > MAX_IMAGE_BYTES:  # of base64, not of the image
        yield f"{where}: image exceeds 5 MB maximum: {len(data)} bytes > {MAX_IMAGE_BYTES} bytes"
    elif _sniff(content) not in (None, media_type):
        yield f"{where}: the media type is {media_type}, but the image appears to be {_sniff(content)}"
    elif not _can_decode(content):
        yield f"{where}: Could not process image"


def check_image_sizes(body: dict[str, Any], window: int) -> Iterator[str]:
    """Yield errors of all images together: too many for the model's window, or too many pixels for their number.

    Invalid images have been rejected before.
    """
    images = list(_images("messages", body["messages"]))
    limit = MAX_IMAGES if window > 200_000 else MAX_IMAGES_STANDARD
    if len(images) > limit:
        yield f"messages: Too many images: {len(images)} > {limit}"
    is_many = len(images) > MANY_IMAGES
    max_side = MAX_SIDE_MANY if is_many else MAX_SIDE
    for where, source in images:
        if source["type"] == "base64" and _longest_side(base64.b64decode(source["data"])) > max_side:
            kind = " for many-image requests" if is_many else ""
            yield f"{where}.data: At least one of the image dimensions exceed max allowed size{kind}: {max_side} pixels"


def _images(where: str, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path and the source of each image in messages, blocks and tool results."""
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if item.get("type") == "image":
            yield f"{where}.{index}.image.source.{item['source']['type']}", item["source"]
        else:
            yield from _images(f"{where}.{index}.content", item.get("content"))


def _can_decode(content: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except Exception:  # decoders report damaged data with errors of many types
        return False
    return True


def _longest_side(content: bytes) -> int:
    with Image.open(io.BytesIO(content)) as image:
        return int(max(image.size))


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
