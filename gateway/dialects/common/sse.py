r"""Frame server-sent events.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html

>>> data(b'{"text":"Hi"}')
b'data: {"text":"Hi"}\n\n'
"""

DATA = b"data: "
END = b"\n\n"

# Older SDKs split a stream with Python's str.splitlines, which takes these characters for line ends; JSON allows them.
_LINE_ENDS = ((b"\xc2\x85", b"\\u0085"), (b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))


def data(payload: bytes) -> bytes:
    """Return an event with `payload` as its data. The payload must not contain line ends."""
    return DATA + payload + END


def event(name: str, payload: bytes) -> bytes:
    """Return an event with a name and `payload` as its data."""
    return b"event: " + name.encode() + b"\n" + data(payload)


def comment(text: str) -> bytes:
    """Return a comment, which clients skip."""
    return f": {text}\n\n".encode()


# Some clients take a comment that starts with ": ping" for the end of the stream.
KEEP_ALIVE = comment("keep-alive")
DONE = data(b"[DONE]")


def one_line(stream: bytes) -> bytes:
    """Return `stream` with raw line ends inside JSON escaped. Call it once per batch of events: it scans all bytes."""
    for raw, escaped in _LINE_ENDS:
        if raw in stream:
            stream = stream.replace(raw, escaped)
    return stream
