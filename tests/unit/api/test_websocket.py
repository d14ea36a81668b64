"""The server's end of a WebSocket against wsproto's client, over a pair of sockets."""

import base64
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent import socket as sockets
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    Request,
    TextMessage,
)

from gateway.api.http import websocket
from gateway.api.http.websocket import WebSocket
from gateway.errors import InvalidRequest, RequestTooLarge

HANDSHAKE = {
    "HTTP_HOST": "gateway",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "keep-alive, Upgrade",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_KEY": base64.b64encode(bytes(16)).decode(),
}


class Client:
    """The client's end."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.protocol = WSConnection(ConnectionType.CLIENT)
        self.protocol.send(Request(host="gateway", target="/"))
        self.events: list[Event] = []

    def send(self, *events: Event) -> None:
        for event in events:
            self.connection.sendall(self.protocol.send(event))

    def read(self) -> Event:
        while not self.events:
            self.protocol.receive_data(self.connection.recv(65536) or None)
            self.events += self.protocol.events()
        return self.events.pop(0)


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[WebSocket, Client]]:
    """Return both ends of a connection whose handshake is complete."""
    monkeypatch.setattr(
        "wsproto.handshake.generate_nonce", lambda: HANDSHAKE["HTTP_SEC_WEBSOCKET_KEY"].encode()
    )
    here, there = sockets.socketpair()
    server, client = WebSocket({**HANDSHAKE, "gunicorn.socket": here}, 1000), Client(there)
    server.accept([("x-request-id", "req_1")])
    accepted = client.read()
    assert isinstance(accepted, AcceptConnection)
    assert (b"x-request-id", b"req_1") in accepted.extra_headers
    yield server, client
    here.close()
    there.close()


Ends = tuple[WebSocket, Client]


@pytest.mark.parametrize(
    "change",
    [
        {"HTTP_SEC_WEBSOCKET_VERSION": "8"},
        {"HTTP_SEC_WEBSOCKET_KEY": None},
        {"HTTP_CONNECTION": "close"},
        {"HTTP_HOST": "\x80"},
        {"gunicorn.socket": None},
    ],
)
def test_bad_handshake_is_a_400(change: dict[str, Any]) -> None:
    environ = {**HANDSHAKE, "gunicorn.socket": object(), **change}
    with pytest.raises(InvalidRequest):
        WebSocket({key: value for key, value in environ.items() if value is not None}, 1000)


def test_messages_are_put_together_and_pings_are_answered(ends: Ends) -> None:
    server, client = ends
    client.send(
        TextMessage("Gr", message_finished=False),
        Ping(b"now"),
        TextMessage("üße"),
        BytesMessage("ü".encode()),
        CloseConnection(1000),
    )
    assert [message.decode() for message in server.messages()] == ["Grüße", "ü"]
    assert client.read() == Pong(b"now")
    assert isinstance(client.read(), CloseConnection)
    assert not server.is_open
    server.send("too late")  # has no effect


def test_silent_client_gets_pings_and_is_given_up_in_the_end(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "PING_SECONDS", 0.01)
    monkeypatch.setattr(websocket, "SILENCE_SECONDS", 0.05)
    server, client = ends
    assert list(server.messages()) == []
    assert isinstance(client.read(), Ping)
    assert not server.is_open


def test_client_that_does_not_read_is_given_up(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "PING_SECONDS", 0.01)
    monkeypatch.setattr(websocket, "SILENCE_SECONDS", 0.05)
    server, _ = ends
    sender = gevent.spawn(server.send, "x" * 10_000_000)
    assert list(server.messages()) == []
    server.abort()
    sender.join(5)
    assert sender.dead


def test_larger_message_is_an_error_and_the_client_can_still_be_told(ends: Ends) -> None:
    server, client = ends
    client.send(TextMessage("ü" * 400, message_finished=False), TextMessage("ü" * 400))
    with pytest.raises(RequestTooLarge):
        list(server.messages())
    server.send("too large")
    server.close(1009, "too big")
    assert client.read() == TextMessage("too large")
    assert client.read() == CloseConnection(1009, "too big")


def test_broken_frame_closes_the_connection(ends: Ends) -> None:
    server, client = ends
    client.connection.sendall(b"\xff\xff\xff\xff")
    assert list(server.messages()) == []
    closed = client.read()
    assert isinstance(closed, CloseConnection)
    assert closed.code == 1002


def test_lost_connection_ends_the_messages(ends: Ends) -> None:
    server, client = ends
    client.connection.close()
    assert list(server.messages()) == []
    server.close(1001, "going away")  # has no effect


def test_client_that_does_not_read_loses_the_connection(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reader then reports that the client has left, which stops the response."""
    server, _ = ends

    def fail(_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(server, "_send", fail)
    server.send("lost")
    assert not server.is_open
    assert list(server.messages()) == []
