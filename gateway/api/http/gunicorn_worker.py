"""A gunicorn worker that limits what a connection may hold up, and whose own errors are JSON.

These errors are for requests that never reach the app. For example, a request with a header of more than 8,190 bytes
gets status 431, for which gunicorn would send a page of HTML. The path of such a request is unknown, so the body is in
the shape of both dialects:

    {"type": "error", "error": {"type": …, "message": …, "param": null, "code": …}, "request_id": …}

gunicorn's arbiter imports this module before gevent has patched, so it must not import the app.
"""

import json
import secrets
import socket
from collections import Counter
from contextlib import suppress
from http import HTTPStatus
from time import monotonic
from typing import Any

from gevent import Timeout, getcurrent, sleep
from gevent.event import Event
from gunicorn.http import errors as http_errors
from gunicorn.http import parser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.ggevent import GeventWorker

from gateway.addresses import client_network
from gateway.api.http.client_socket import ClientSocket, RequestTimedOut
from gateway.errors import GatewayError, InvalidRequest, RateLimited, RequestTimeout

WARN_SECONDS = 60.0  # between warnings about too many connections
LINGER_SECONDS = 1.0
SHARE_BYTES = 1024 * 1024
SMALL_BYTES = 8192
LINGER_BYTES = 1024 * 1024
_STATUSES: dict[type[BaseException], int] = {
    http_errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    http_errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    http_errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    http_errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}
_PROBLEMS: dict[type[BaseException], str] = {
    http_errors.LimitRequestLine: "The URL is too long. At most 4,094 bytes are allowed.",
    http_errors.LimitRequestHeaders: "The headers are too large. At most 100 of 8,190 bytes each are allowed.",
    http_errors.InvalidChunkSize: "The chunks of the request body are not valid.",
    http_errors.ChunkMissingTerminator: "The chunks of the request body are not valid.",
}


class FairUnreader(SocketUnreader):
    """Reads a client's bytes, and lets others run after each megabyte.

    `recv` does not wait while a client sends faster than it is read, and gunicorn also reads the rest of bodies that
    were refused: 70 MB took two seconds, in which nothing else ran.
    """

    _unshared = 0

    def read(self, size: int | None = None, read_ahead: int | None = None) -> bytes:
        """Return the next bytes. Small reads read nothing ahead: each would copy everything that is buffered."""
        data: bytes = super().read(size, read_ahead if size is None or size > SMALL_BYTES else None)  # type: ignore[call-arg]
        return data

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes."""
        data: bytes = super().chunk(size_hint)  # type: ignore[call-arg]
        self._unshared += len(data)
        if self._unshared >= SHARE_BYTES:
            self._unshared = 0
            sleep(0)
        return data


parser.SocketUnreader = FairUnreader  # type: ignore[attr-defined]  # gunicorn has no setting for it


class JsonGeventWorker(GeventWorker):
    """gunicorn's gevent worker with errors in JSON and limits for connections.

    `client_seconds` is how long a client may do nothing while it sends a request or gets the response,
    `header_seconds` the time for the head of a connection's first request, and `max_connections` the number of
    connections per address, 0 for no limit. `gunicorn.conf.py` sets them.
    """

    client_seconds = 60.0
    header_seconds = 10.0
    max_connections = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._has_ended = Event()
        super().__init__(*args, **kwargs)
        self._connections: Counter[str] = Counter()
        self._warned_at = -WARN_SECONDS
        self._is_quitting = False

    @property
    def alive(self) -> bool:
        """True until the worker should end. gunicorn reads and sets it."""
        return not self._has_ended.is_set()

    @alive.setter
    def alive(self, is_alive: bool) -> None:
        if is_alive:
            self._has_ended.clear()
        else:
            self._has_ended.set()

    def await_end(self) -> None:
        """Wait until the worker should end."""
        self._has_ended.wait()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve a connection, unless its address has too many."""
        client = ClientSocket.take_over(client)
        address = client_network(addr[0]) if isinstance(addr, tuple) else ""
        if address and 0 < self.max_connections <= self._connections[address]:
            self._refuse_connection(client, address)
            return
        self._connections[address] += 1
        try:
            super().handle(listener, client, addr)
        finally:
            self._connections[address] -= 1
            if not self._connections[address]:
                del self._connections[address]

    def handle_quit(self, sig: Any, frame: Any) -> None:
        """Exit at once. Ctrl-C reaches a worker twice: from the terminal, and from gunicorn's arbiter."""
        if not self._is_quitting:
            self._is_quitting = True
            super().handle_quit(sig, frame)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        """Answer a request. The client must keep sending it, and then keep reading the response."""
        sock.settimeout(self.client_seconds)
        try:
            return super().handle_request(listener_name, req, sock, addr)
        finally:
            sock.settimeout(None)

    def timeout_ctx(self) -> Timeout:  # type: ignore[override]
        """Return the limit for the wait for the next request of this greenlet's connection, its head included."""
        connection = getcurrent()
        is_first = not getattr(connection, "has_request", False)
        connection.has_request = True  # type: ignore[attr-defined]
        return Timeout(self.header_seconds if is_first else self.cfg.keepalive, False)  # type: ignore[arg-type]

    def _refuse_connection(self, connection: socket.socket, address: str) -> None:
        if monotonic() - self._warned_at >= WARN_SECONDS:
            self._warned_at = monotonic()
            self.log.warning("%s has %s connections. More are refused.", address, self.max_connections)
        problem = "Too many connections come from your address (MAX_CONNECTIONS_PER_ADDRESS)."
        error = RateLimited(problem, code="too_many_connections")
        with suppress(OSError), connection:
            connection.sendall(make_response(error.status, error, make_request_id()))
            _discard_rest(connection)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer a request that failed outside of the app, and log it."""
        request_id = make_request_id()
        status, error = describe_failure(exc)
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log.warning("Rejected request %s from %s: %s", request_id, addr, exc)
        else:
            self.log.error("Request %s failed in the server", request_id, exc_info=exc)
        with suppress(OSError):
            client.sendall(make_response(status, error, request_id))
            _discard_rest(client)


def make_request_id() -> str:
    """Return the id of a request that does not reach the app."""
    return f"req_{secrets.token_hex(16)}"


def describe_failure(exc: BaseException) -> tuple[int, GatewayError]:
    """Return the status and the error for an exception of gunicorn."""
    if not isinstance(exc, http_errors.ParseException) or isinstance(exc, http_errors.ConfigurationProblem):
        return GatewayError.status, GatewayError()
    if isinstance(exc, RequestTimedOut):
        return RequestTimeout.status, RequestTimeout()
    status = _STATUSES.get(type(exc), HTTPStatus.BAD_REQUEST)
    return status, InvalidRequest(_PROBLEMS.get(type(exc), f"The HTTP request is not valid: {exc}."))


def make_response(status: int, error: GatewayError, request_id: str) -> bytes:
    """Return the whole response. Anthropic's shape has more fields around the same object."""
    content = json.dumps({"type": "error", **error.body(), "request_id": request_id}).encode()
    head = (
        f"HTTP/1.1 {int(status)} {HTTPStatus(status).phrase}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        f"x-request-id: {request_id}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content


def _discard_rest(client: socket.socket) -> None:
    """Read what the client still sends: closing a socket with unread bytes would destroy the response on its way."""
    client.shutdown(socket.SHUT_WR)
    client.settimeout(LINGER_SECONDS)
    unread = LINGER_BYTES
    while unread > 0:
        data = client.recv(65536)
        if not data:
            return
        unread -= len(data)
