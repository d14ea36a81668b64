"""The benchmark's client: raw sockets that only record when which bytes arrive.

It connects before the clock starts and parses the responses after the clock has stopped, so it uses very little CPU
while it measures. All times are `time.monotonic()` seconds, which the processes of one machine share.
"""

import json
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

RECEIVE = 1 << 18
SILENCE_SECONDS = 120.0
END_OF_CHUNKS = b"\r\n0\r\n\r\n"

Arrivals = list[tuple[float, bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """A POST of `body` as JSON."""

    url: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Answer:
    """A streamed answer with the times at which its request was sent and its deltas and its last byte arrived.

    `calls` are its tool calls in OpenAI's form. `error` is the message of an error, "" without one; `code` is its code.
    """

    status: int
    sent: float
    ended: float
    deltas: list[tuple[float, str]] = field(default_factory=list)
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    error: str = ""
    code: str = ""

    @property
    def first(self) -> float:
        """Return the seconds until the first delta."""
        return self.deltas[0][0] - self.sent

    @property
    def last(self) -> float:
        """Return the seconds until the end."""
        return self.ended - self.sent

    @property
    def text(self) -> str:
        """Return the text of all deltas."""
        return "".join(text for _, text in self.deltas)


def exchange(requests: Sequence[Request], on_begun: Callable[[], None] | None = None) -> list[Answer]:
    """Send all requests at once and read all answers. Call `on_begun` as soon as every answer has begun.

    Raises TimeoutError if no data arrives for two minutes, and OSError if a connection fails.
    """
    connections: list[_Connection] = []
    try:
        connections.extend(
            map(_Connection, requests)
        )  # added one by one, so that all of them are closed below
        for connection in connections:
            connection.send()
        _receive(connections, on_begun)
    finally:
        for connection in connections:
            connection.sock.close()
    return [_answer(connection) for connection in connections]


def abandon(request: Request) -> float:
    """Send a request and close the connection as soon as its stream has begun. Return the seconds until then.

    Raises OSError if there is no stream.
    """
    connection = _Connection(request)
    with connection.sock:
        connection.send()
        connection.sock.setblocking(True)
        connection.sock.settimeout(SILENCE_SECONDS)
        received = b""
        while b"data:" not in received:
            data = connection.sock.recv(RECEIVE)
            if not data:
                raise ConnectionError(received[:200].decode("utf-8", "replace"))
            received += data
        return time.monotonic() - connection.sent


class _Connection:
    """The connection of one request, and the data that arrived over it."""

    def __init__(self, request: Request) -> None:
        parts = urlsplit(request.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self.sock = socket.create_connection((parts.hostname or "", port), timeout=30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.scheme == "https":
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=parts.hostname)
        self._request = _head_and_body(request, parts.netloc)
        self.arrivals: Arrivals = []
        self.sent = 0.0
        self.head = b""
        self.headers: dict[str, str] = {}
        self._left: int | None = None
        self._tail = b""

    def send(self) -> None:
        self.sent = time.monotonic()
        self.sock.sendall(self._request)
        self.sock.setblocking(False)

    def receive(self) -> bool:
        """Read the data that has arrived. Return False at the end of the answer."""
        while True:
            try:
                data = self.sock.recv(RECEIVE)
            except (BlockingIOError, ssl.SSLWantReadError):
                return True
            self.arrivals.append((time.monotonic(), data))
            if not data or self._is_end(data):
                return False

    def _is_end(self, data: bytes) -> bool:
        if not self.headers:
            self.head += data
            head, blank, data = self.head.partition(b"\r\n\r\n")
            if not blank:
                return False
            self._read_head(head)
        if self._left is not None:
            self._left -= len(data)
            return self._left <= 0
        self._tail = (self._tail + data[-len(END_OF_CHUNKS) :])[-len(END_OF_CHUNKS) :]
        return self.is_chunked and self._tail == END_OF_CHUNKS

    def _read_head(self, head: bytes) -> None:
        self.head = head
        fields = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
        self.headers = {name.strip().lower(): value.strip() for name, _, value in fields} or {"": ""}
        if "content-length" in self.headers:
            self._left = int(self.headers["content-length"])

    @property
    def is_chunked(self) -> bool:
        return self.headers.get("transfer-encoding", "").lower() == "chunked"


def _head_and_body(request: Request, host: str) -> bytes:
    body = json.dumps(request.body).encode()
    parts = urlsplit(request.url)
    fields = {
        "host": host.rpartition("@")[2],
        "content-type": "application/json",
        "content-length": str(len(body)),
        "accept": "text/event-stream",
        **request.headers,
    }
    lines = [f"POST {parts.path or '/'} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _receive(connections: Sequence[_Connection], on_begun: Callable[[], None] | None) -> None:
    silent = len(connections)
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.sock, selectors.EVENT_READ, connection)
        while selector.get_map():
            ready = selector.select(SILENCE_SECONDS)
            if not ready:
                raise TimeoutError(f"no data arrived for {SILENCE_SECONDS:g} seconds")
            for key, _ in ready:
                silent -= not key.data.arrivals
                if not key.data.receive():
                    selector.unregister(key.fileobj)
            if silent == 0 and on_begun is not None:
                on_begun()
                on_begun = None


def _answer(connection: _Connection) -> Answer:
    words = connection.head.split(b" ", 2)
    status = int(words[1]) if len(words) > 1 else 0
    ended = connection.arrivals[-1][0] if connection.arrivals else connection.sent
    answer = Answer(status, connection.sent, ended)
    body = _body(connection)
    if status != 200:
        _read_refusal(answer, b"".join(data for _, data in body))
        return answer
    for when, line in _lines(body):
        if line.startswith(b"data:"):
            _read_event(answer, when, line[5:].strip())
    if not answer.deltas and not answer.error:
        answer.error = "the answer has no delta"
    return answer


def _body(connection: _Connection) -> Arrivals:
    """Return the arrivals without the head and without the frames of a chunked encoding."""
    left = len(connection.head) + 4
    body: Arrivals = []
    for when, data in connection.arrivals:
        if left < len(data):
            body.append((when, data[left:]))
        left = max(0, left - len(data))
    return list(_unchunked(body)) if connection.is_chunked else body


def _unchunked(arrivals: Arrivals) -> Iterator[tuple[float, bytes]]:
    rest, left = b"", 0  # the current chunk lacks `left` bytes, including its line end
    for when, data in arrivals:
        rest += data
        while rest:
            if not left:
                size, line_end, after = rest.partition(b"\r\n")
                if not line_end:
                    break
                rest, left = after, int(size.partition(b";")[0], 16) + 2
            part, rest = rest[:left], rest[left:]
            content = part[: max(0, left - 2)]
            left -= len(part)
            if content:
                yield when, content


def _lines(arrivals: Arrivals) -> Iterator[tuple[float, bytes]]:
    """Yield complete lines, each with the time at which its last byte arrived."""
    rest = b""
    for when, data in arrivals:
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield when, line


def _read_refusal(answer: Answer, body: bytes) -> None:
    try:
        error = json.loads(body)["error"]
        answer.code, message = str(error.get("code") or error.get("type")), str(error.get("message"))
    except (ValueError, LookupError, TypeError, AttributeError):
        message = body.decode("utf-8", "replace")
    answer.error = f"{answer.status}: {message[:120]}"


def _read_event(answer: Answer, when: float, data: bytes) -> None:
    if data == b"[DONE]":
        return
    event = json.loads(data)
    if event.get("error"):
        answer.error = str(event["error"].get("message") or event["error"])
    for choice in event.get("choices") or ():
        _read_delta(answer, when, choice.get("delta") or {})
    if event.get("type") == "content_block_delta":  # the Messages API
        answer.deltas.append((when, event["delta"].get("text", "")))


def _read_delta(answer: Answer, when: float, delta: Mapping[str, Any]) -> None:
    if delta.get("content"):
        answer.deltas.append((when, delta["content"]))
    elif delta.get("reasoning_content"):
        answer.deltas.append((when, ""))
    for part in delta.get("tool_calls") or ():
        answer.deltas.append((when, ""))
        call = answer.calls.setdefault(
            part["index"], {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        )
        call["id"] = part.get("id") or call["id"]
        for name, value in (part.get("function") or {}).items():
            call["function"][name] += value or ""
