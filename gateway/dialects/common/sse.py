"""Server-sent events: how a stream's pieces are framed and its JSON is written.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import json
from typing import Any

import orjson

DATA = b"data: "
END = b"\n\n"

# Line ends for Python's str.splitlines, which older SDKs cut a stream with; JSON may carry them raw.
_LINE_ENDS = ((b"\xc2\x85", b"\\u0085"), (b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))


def data(payload: bytes) -> bytes:
    """One event with `payload`, which holds no line end, as its data."""
    return DATA + payload + END


def event(name: str, payload: bytes) -> bytes:
    """As `data`, with the event's name."""
    return b"event: " + name.encode() + b"\n" + data(payload)


def comment(text: str) -> bytes:
    """A line that clients skip."""
    return f": {text}\n\n".encode()


# Some clients take a comment that begins with ": ping" for the end of the stream.
KEEP_ALIVE = comment("keep-alive")
DONE = data(b"[DONE]")


def dumps(value: Any) -> bytes:
    """`value` as JSON in UTF-8."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        # Half of a surrogate pair has no UTF-8 form; JSON can only escape it.
        return json.dumps(value, separators=(",", ":")).encode()


def one_line(stream: bytes) -> bytes:
    """`stream` with the line ends that JSON allows raw escaped. Best called once for many events."""
    for raw, escaped in _LINE_ENDS:
        if raw in stream:
            stream = stream.replace(raw, escaped)
    return stream
