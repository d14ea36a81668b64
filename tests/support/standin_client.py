"""Bodies for the stand-in Messages API, and a client of it."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import urllib.error
import urllib.request
from typing import Any

from tests.standin import (
    StandIn,
    sign,
)

OLD = "claude-opus-4-0"  # takes temperature and top_p together
BUDGET = "claude-haiku-4-5-20251001"  # thinks with a budget
ADAPTIVE = "claude-opus-4-6"  # thinks either way
NEW = "claude-opus-4-8"  # takes no sampling parameters
ALWAYS = "claude-fable-5"  # cannot stop thinking

ON = {"type": "enabled", "budget_tokens": 1024}
AUTO = {"type": "adaptive"}
OFF = {"type": "disabled"}
PNG = b"\x89PNG\r\n\x1a\n"

Body = dict[str, Any]
Events = list[tuple[str, dict[str, Any]]]


def ask(model: str = NEW, said: Any = "hi", **fields: Any) -> Body:
    """A request body; fields set to None are left out."""
    base = {"model": model, "max_tokens": 4096, "messages": [user(said)]}
    return {name: value for name, value in {**base, **fields}.items() if value is not None}


def user(content: Any) -> Body:
    return {"role": "user", "content": content}


def assistant(content: Any) -> Body:
    return {"role": "assistant", "content": content}


def system(content: Any) -> Body:
    return {"role": "system", "content": content}


def t(said: str) -> Body:
    return {"type": "text", "text": said}


def use(id: str = "toolu_1", name: str = "look") -> Body:
    return {"type": "tool_use", "id": id, "name": name, "input": {}}


def result(id: str = "toolu_1", content: Any = "seen") -> Body:
    return {"type": "tool_result", "tool_use_id": id, "content": content}


def thought(signature: str | None = None) -> Body:
    return {"type": "thinking", "thinking": "hm", "signature": signature or sign("hm")}


def tool(name: str = "look", **schema: Any) -> Body:
    return {"name": name, "input_schema": {"type": "object", **schema}}


def image(data: bytes = PNG, media_type: str = "image/png") -> Body:
    encoded = base64.b64encode(data).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": encoded}}


def round_of(*parts: Body) -> list[Body]:
    """A tool round whose assistant message has those blocks before its `tool_use`."""
    return [user("go"), assistant([*parts, use()]), user([result()])]


def connect(standin: StandIn) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(standin.url.removeprefix("http://"), timeout=20)


def post(standin: StandIn, body: Any, path: str = "/v1/messages?beta=true") -> tuple[int, Any]:
    """Status and body: a JSON value, or the events of a stream."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(standin.url + path, data)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, read(response)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def read(response: Any) -> Any:
    is_stream = response.headers["content-type"].startswith("text/event-stream")
    return parse(response.read()) if is_stream else json.load(response)


def parse(stream: bytes) -> Events:
    """The events of a stream, each with exactly one `event:` and one `data:` line."""
    parsed = []
    for part in stream.decode().removesuffix("\n\n").split("\n\n"):
        name, data = part.split("\n")
        parsed.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return parsed


def stream(standin: StandIn, model: str = NEW, said: Any = "hi", **fields: Any) -> Events:
    status, events = post(standin, ask(model, said, stream=True, **fields))
    assert status == 200
    return list(events)


def written(events: Events, kind: str = "text") -> str:
    deltas = (data["delta"] for name, data in events if name == "content_block_delta")
    return "".join(delta.get(kind, "") for delta in deltas)


def ended(events: Events) -> Body:
    return next(data for name, data in events if name == "message_delta")


def open_stream(standin: StandIn, said: str = "hi") -> socket.socket:
    """A raw connection on which a streaming request has been sent."""
    host, port = standin.url.removeprefix("http://").split(":")
    data = json.dumps(ask(said=said, stream=True)).encode()
    sock = socket.create_connection((host, int(port)), timeout=20)
    sock.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(data), data))
    return sock


def receive_until(sock: socket.socket, mark: bytes) -> bytes:
    got = b""
    while mark not in got:
        data = sock.recv(65536)
        assert data, f"closed after {got!r}"
        got += data
    return got


def receive_all(sock: socket.socket) -> bytes:
    got = b""
    while data := sock.recv(65536):
        got += data
    return got
