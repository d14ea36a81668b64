"""Read the body of a request: decompressed, within the size limit, as JSON.

A compressed body may grow to MAX_REQUEST_BYTES, and not one byte further is decompressed.

>>> decompress(zlib.compress(b"hello"), "deflate", limit=100)
b'hello'
"""

import zlib
from collections.abc import Callable
from json import JSONDecodeError
from typing import Any

import zstandard
from flask import Request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from gateway.dialects.common.body_limits import read_limited
from gateway.errors import InvalidRequest, UnsupportedEncoding
from gateway.lenient_json import explain

SUPPORTED = "gzip, deflate, zstd"
MAX_WINDOW_BYTES = 8 * 1024 * 1024  # the window that RFC 8878 recommends to support
MAX_PARTS = 100  # members of a gzip file, or frames of Zstandard; clients send one
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


def read_body(request: Request) -> bytes:
    """Return the decompressed body. Raises RequestEntityTooLarge, UnsupportedEncoding and InvalidRequest."""
    limit, length = request.max_content_length, request.content_length
    body = request.get_data() if length is None else _read_sized(request, length, limit)
    if length is None and len(body) == limit:
        raise RequestEntityTooLarge  # werkzeug silently truncates a chunked body at the limit
    encodings = request.headers.get("content-encoding", "")
    return decompress(body, encodings, limit or 0) if encodings and body else body


def _read_sized(request: Request, length: int, limit: int | None) -> bytes:
    """Return the `length` bytes of the body. werkzeug's own streams take 40 µs."""
    if limit is not None and length > limit:
        raise RequestEntityTooLarge
    body: bytes = request.environ["wsgi.input"].read(length)
    if len(body) < length:
        raise ClientDisconnected
    return body


def read_json(body: bytes, content_type: str = "") -> Any:
    """Return the value of a JSON body. Raises InvalidRequest with the line and the column of a mistake."""
    try:
        return read_limited(body)
    except JSONDecodeError as error:
        problem = f"Invalid request body. {explain(error)}"
        if "form" in content_type and error.pos == 0:
            problem += " It looks like a form. Send a JSON object instead."
        raise InvalidRequest(problem) from None


def decompress(body: bytes, encodings: str, limit: int) -> bytes:
    """Undo the encodings in a Content-Encoding header, the last one first. Raises what `read_body` raises."""
    for encoding in reversed(encodings.lower().split(",")):
        name = encoding.strip().removeprefix("x-")
        if name in ("", "identity"):
            continue
        if name not in _DECODERS:
            problem = f"The Content-Encoding {name!r} is not supported. Use one of: {SUPPORTED}."
            raise UnsupportedEncoding(problem)
        try:
            body = _DECODERS[name](body, limit + 1)
        except (zlib.error, zstandard.ZstdError, EOFError) as error:
            raise InvalidRequest(f"The request body is not valid {name} data.") from error
        if len(body) > limit:
            raise RequestEntityTooLarge
    return body


def _read_gzip(body: bytes, most: int) -> bytes:
    """Return up to `most` bytes of all members of a gzip file."""
    parts: list[bytes] = []
    while body and most > 0:
        part, body = _inflate(body, most, _GZIP)
        _add_part(parts, part)
        most -= len(part)
    return b"".join(parts)


def _add_part(parts: list[bytes], part: bytes) -> None:
    """Add a part. Raises EOFError for too many: each one copies the rest of the body, so a million would take hours."""
    if len(parts) == MAX_PARTS:
        raise EOFError
    parts.append(part)


def _read_deflate(body: bytes, most: int) -> bytes:
    """Return up to `most` bytes. Some clients leave out the header that the standard demands."""
    try:
        return _inflate(body, most, _ZLIB)[0]
    except zlib.error:
        return _inflate(body, most, _RAW)[0]


def _inflate(body: bytes, most: int, window_bits: int) -> tuple[bytes, bytes]:
    """Return the decompressed bytes and the rest of the body. Raises EOFError if the body is cut off."""
    inflater = zlib.decompressobj(window_bits)
    data = inflater.decompress(body, most)
    if not inflater.eof and len(data) < most:
        raise EOFError
    return data, inflater.unused_data


def _read_zstd(body: bytes, most: int) -> bytes:
    """Return all frames, or `most` bytes if they are longer."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
    start = decompressor.stream_reader(body, read_across_frames=True).read(most)
    if len(start) == most:
        return start
    parts: list[bytes] = []
    while body:  # again, because the reader does not notice a body that is cut off
        inflater = decompressor.decompressobj()
        _add_part(parts, inflater.decompress(body))
        if not inflater.eof:
            raise EOFError
        body = inflater.unused_data
    return b"".join(parts)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _read_gzip,
    "deflate": _read_deflate,
    "zstd": _read_zstd,
}
