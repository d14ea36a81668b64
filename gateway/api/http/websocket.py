"""The server's end of a WebSocket, over the socket that gunicorn puts into the WSGI environment.

wsproto speaks the protocol (RFC 6455). This module reads and writes the bytes, keeps the connection alive and limits
the size of messages. Messages are not compressed, so that a small one cannot grow in memory.
"""

import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from gateway.errors import InvalidRequest, RequestTooLarge

PING_SECONDS = 20.0  # proxies close connections that are silent for a minute
SILENCE_SECONDS = 300.0  # a client that has not even answered pings for so long is gone
RECEIVE_BYTES = 65536

_Socket = socket.socket


class WebSocket:
    """One connection. A single greenlet iterates `messages`; any greenlet may send."""

    def __init__(self, environ: Mapping[str, Any], max_bytes: int) -> None:
        """Read the client's handshake. Raises InvalidRequest."""
        connection = environ.get("gunicorn.socket")
        if connection is None:
            raise InvalidRequest("WebSockets need the server gunicorn.")
        self._connection: _Socket = connection
        self._max_bytes = max_bytes
        self._protocol = WSConnection(ConnectionType.SERVER)
        self._sending = BoundedSemaphore()
        self._is_open = False
        try:
            self._protocol.initiate_upgrade_connection(list(_read_headers(environ)), "/")
        except (RemoteProtocolError, LocalProtocolError, ValueError) as error:
            raise InvalidRequest(f"The WebSocket handshake is not valid. {error}") from error

    def accept(self, headers: Iterable[tuple[str, str]]) -> None:
        """Complete the handshake, with these headers in addition to its own. Raises OSError."""
        list(self._protocol.events())  # the request itself
        extra = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._is_open = True
        self._send(AcceptConnection(extra_headers=extra))

    @property
    def is_open(self) -> bool:
        """Return False when either side has closed the connection."""
        return self._is_open

    def messages(self) -> Iterator[bytes]:
        """Yield the client's messages until the connection is closed. Raises RequestTooLarge."""
        parts: list[bytes] = []
        size = 0
        for event in self._receive_events():
            if not isinstance(event, (TextMessage, BytesMessage)):
                self._answer_control(event)
                continue
            part = event.data.encode() if isinstance(event.data, str) else bytes(event.data)
            size += len(part)
            if size > self._max_bytes:
                raise RequestTooLarge("The message is larger than MAX_REQUEST_BYTES allows.")
            parts.append(part)
            if event.message_finished:
                yield b"".join(parts)
                parts, size = [], 0

    def send(self, text: str) -> None:
        """Send a message. If the client has left or does not read, end the connection."""
        try:
            self._send(TextMessage(text))
        except OSError:
            self.abort()
        except LocalProtocolError:
            pass  # the connection is being closed

    def close(self, code: int, reason: str) -> None:
        """Send the close frame, unless the connection is closed. The client's own may still come."""
        with suppress(OSError, LocalProtocolError):
            self._send(CloseConnection(code, reason))
            self._connection.shutdown(socket.SHUT_WR)
        self._is_open = False

    def discard_rest(self) -> None:
        """Read what the client still sends: unread bytes would destroy the close frame on its way."""
        with suppress(OSError):
            while self._connection.recv(RECEIVE_BYTES):
                pass

    def abort(self) -> None:
        """End the connection at once."""
        self._is_open = False
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _receive_events(self) -> Iterator[Event]:
        heard_at = monotonic()
        try:
            while self._is_open:
                data = self._receive()
                if data is not None:
                    heard_at = monotonic()
                    self._protocol.receive_data(data or None)
                    yield from self._protocol.events()
                elif monotonic() - heard_at > SILENCE_SECONDS:
                    self._is_open = False
        except OSError:
            self._is_open = False

    def _receive(self) -> bytes | None:
        """Return the next bytes, b"" at the end. After PING_SECONDS of silence, send a ping and return None."""
        try:
            data = gevent.with_timeout(PING_SECONDS, self._connection.recv, RECEIVE_BYTES, timeout_value=None)
        except TimeoutError:  # CLIENT_TIMEOUT_SECONDS is shorter
            data = None
        if data is None and not self._sending.locked():  # if it is locked, the client does not read
            self._send(Ping())
        return data

    def _answer_control(self, event: Event) -> None:
        if isinstance(event, Ping):
            self._send(event.response())
        elif isinstance(event, CloseConnection):
            # wsproto reports a frame that breaks the protocol as a close as well. The client gets its code.
            with suppress(OSError, LocalProtocolError):
                self._send(event.response())
            self._is_open = False

    def _send(self, event: Event) -> None:
        with self._sending:
            if self._is_open:
                self._connection.sendall(self._protocol.send(event))


def _read_headers(environ: Mapping[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the headers of the request."""
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            yield name[5:].replace("_", "-").encode("latin-1"), str(value).encode("latin-1")
