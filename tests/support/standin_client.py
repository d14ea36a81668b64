"""Request bodies for the stand-in Messages API, and a client that reads its responses."""

import base64
import http.client
import json
import socket
import urllib.error
import urllib.request
from typing import Any

from tests.standin import StandIn, sign
from tests.support.pictures import plain
from tests.support.recorded import Body, assistant, user

OPUS_4_0 = "claude-opus-4-0"  # accepts temperature and top_p together
HAIKU_4_5 = "claude-haiku-4-5-20251001"  # thinks within a budget
OPUS_4_6 = "claude-opus-4-6"  # thinks within a budget or adaptively
OPUS_4_8 = "claude-opus-4-8"  # accepts no sampling parameters
FABLE_5 = "claude-fable-5"  # always thinks

# Values of `thinking`.
ON = {"type": "enabled", "budget_tokens": 1024}
AUTO = {"type": "adaptive"}
OFF = {"type": "disabled"}
PNG = plain(8, 8)

Events = list[tuple[str, dict[str, Any]]]


def request(model: str = OPUS_4_8, content: Any = "hi", **fields: Any) -> Body:
    """Return a request body. Fields that are None are left out."""
    base = {"model": model, "max_tokens": 4096, "messages": [user(content)]}
    return {name: value for name, value in {**base, **fields}.items() if value is not None}


def text_part(text: str) -> Body:
    return {"type": "text", "text": text}


def tool_use(id: str = "toolu_1", name: str = "look") -> Body:
    return {"type": "tool_use", "id": id, "name": name, "input": {}}


def tool_result(id: str = "toolu_1", content: Any = "seen") -> Body:
    return {"type": "tool_result", "tool_use_id": id, "content": content}


def thinking_part(signature: str | None = None) -> Body:
    return {"type": "thinking", "thinking": "hm", "signature": signature or sign("hm")}


def tool(name: str = "look", **schema: Any) -> Body:
    return {"name": name, "input_schema": {"type": "object", **schema}}


def image(data: bytes = PNG, media_type: str = "image/png") -> Body:
    encoded = base64.b64encode(data).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": encoded}}


def tool_round(*parts: Body) -> list[Body]:
    """Return a tool round; its assistant message has these blocks before its `tool_use`."""
    return [user("go"), assistant([*parts, tool_use()]), user([tool_result()])]


def connect(standin: StandIn) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(standin.url.removeprefix("http://"), timeout=20)


def post(standin: StandIn, body: Any, path: str = "/v1/messages?beta=true") -> tuple[int, Any]:
    """Send a request and return the status and the body: a JSON value, or the events of a stream."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(standin.url + path, data)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, read_body(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def read_body(response: Any) -> Any:
    is_stream = response.headers["content-type"].startswith("text/event-stream")
    return parse_events(response.read()) if is_stream else json.load(response)


def parse_events(stream: bytes) -> Events:
    """Return the events of a stream. Each has exactly one `event:` line and one `data:` line."""
    parsed = []
    for part in stream.decode().removesuffix("\n\n").split("\n\n"):
        name, data = part.split("\n")
        parsed.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return parsed


def stream(standin: StandIn, model: str = OPUS_4_8, content: Any = "hi", **fields: Any) -> Events:
    status, events = post(standin, request(model, content, stream=True, **fields))
    assert status == 200
    return list(events)


def joined_deltas(events: Events, kind: str = "text") -> str:
    deltas = (data["delta"] for name, data in events if name == "content_block_delta")
    return "".join(delta.get(kind, "") for delta in deltas)


def message_delta(events: Events) -> Body:
    return next(data for name, data in events if name == "message_delta")


def open_stream(standin: StandIn, content: str = "hi") -> socket.socket:
    """Return a raw connection on which a streaming request has been sent."""
    host, port = standin.url.removeprefix("http://").split(":")
    data = json.dumps(request(content=content, stream=True)).encode()
    sock = socket.create_connection((host, int(port)), timeout=20)
    sock.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(data), data))
    return sock


def receive_until(sock: socket.socket, mark: bytes) -> bytes:
    received = b""
    while mark not in received:
        data = sock.recv(65536)
        assert data, f"closed after {received!r}"
        received += data
    return received


def receive_all(sock: socket.socket) -> bytes:
    received = b""
    while data := sock.recv(65536):
        received += data
    return received
