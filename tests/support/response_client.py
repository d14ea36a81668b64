"""A client of the WebSocket mode of `/v1/responses`.

For example:

with connect(gateway) as client:
    (created, *_, completed) = client.create("hi", store=False)
"""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from websockets.sync.client import connect as open_socket
from websockets.sync.connection import Connection

from tests.support import open_responses

Body = dict[str, Any]

MODEL = "haiku"
TERMINAL = ("response.completed", "response.incomplete", "response.failed", "error")
SECONDS = 30.0


class ResponseClient:
    """One connection. Every event that it gets has to have the shape that Open Responses demands."""

    def __init__(self, socket: Connection) -> None:
        self.socket = socket

    def create(self, content: Any, **fields: Any) -> list[Body]:
        """Ask for a response and return all its events."""
        self.ask(content, **fields)
        return self.read()

    def ask(self, content: Any, **fields: Any) -> None:
        """Ask for a response."""
        self.send({"type": "response.create", "model": MODEL, "input": content, **fields})

    def send(self, event: Body) -> None:
        """Send a message."""
        self.socket.send(json.dumps(event))

    def read(self, until: tuple[str, ...] = TERMINAL) -> list[Body]:
        """Return the events up to the first one of these types."""
        events: list[Body] = []
        while not events or events[-1]["type"] not in until:
            events.append(json.loads(self.socket.recv(SECONDS)))
            if events[-1]["type"] == "error":
                open_responses.check(events[-1], "WebSocketErrorEvent")
            else:
                open_responses.check_event(events[-1])
        return events


@contextlib.contextmanager
def connect(
    gateway: Any, key: str | None = "one", path: str = "/v1/responses", **options: Any
) -> Iterator[ResponseClient]:
    """Open a connection to a gateway, or to a proxy with the same `url`."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = gateway.url.replace("http", "ws", 1) + path
    with open_socket(url, additional_headers=headers, proxy=None, max_size=None, **options) as socket:
        yield ResponseClient(socket)


def text_of(events: list[Body]) -> str:
    """Return the text of the deltas."""
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
