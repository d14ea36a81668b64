"""Read the base64 and the data URLs in which clients send images and files.

>>> read_encoded("data:image/png;base64,aGVsbG8").data
'aGVsbG8='
"""

import base64
import binascii
import re
from typing import NamedTuple
from urllib.parse import unquote, unquote_to_bytes

from gateway.dialects.common.file_kinds import UnreadableError

_URL_SAFE = str.maketrans("-_", "+/")
_LINE_BREAK = re.compile(r"\s*[\r\n]\s*")
_CHARSET = re.compile(r";charset=\"?([\w.:-]+)", re.IGNORECASE)


class EncodedData(NamedTuple):
    """Base64 as the API takes it, with the type and the charset that the client gave ("" and None if it gave none)."""

    data: str
    media_type: str = ""
    charset: str | None = None

    @property
    def byte_count(self) -> int:
        """Return the size of the content."""
        return len(self.data) // 4 * 3 - self.data[-2:].count("=")

    def decode_head(self) -> bytes:
        """Return the first 1,024 bytes of the content."""
        return base64.b64decode(self.data[:1368])[:1024]

    def decode(self) -> bytes:
        """Return the content."""
        return base64.b64decode(self.data)


def is_data_url(text: str) -> bool:
    """Return True for a data URL."""
    return text[:5].lower() == "data:"


def read_encoded(text: str) -> EncodedData:
    """Read base64 or a data URL. Raises UnreadableError.

    Line breaks, the alphabet for URLs and missing padding are repaired.
    Data URLs: https://datatracker.ietf.org/doc/html/rfc2397
    """
    if not is_data_url(text):
        return EncodedData(_repair_base64(text))
    head, comma, payload = text[5:].partition(",")
    if not comma:
        raise UnreadableError("The data URL has no comma before its data.")
    media_type, _, parameters = head.lower().partition(";")
    if "base64" in parameters:
        data = _repair_base64(unquote(payload) if "%" in payload else payload)
    else:
        data = base64.b64encode(unquote_to_bytes(payload)).decode()
    if not data:
        raise UnreadableError("The data URL is empty.")
    charset = _CHARSET.search(head)
    return EncodedData(data, media_type.strip(), charset[1] if charset else None)


def _repair_base64(text: str) -> str:
    if _is_base64(text):
        return text
    data = _LINE_BREAK.sub("", text.strip()).rstrip("=").translate(_URL_SAFE)
    data += "=" * (-len(data) % 4)
    if not data or not _is_base64(data):
        raise UnreadableError("Expected non-empty base64 data.")
    return data


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False
