"""A gunicorn worker whose own errors are JSON: for requests that never reach the app.

For example, a request with a header of more than 8,190 bytes gets status 431, for which gunicorn would send a page of
HTML. The path of such a request is unknown, so the body is in the shape of both dialects:

    {"type": "error", "error": {"type": …, "message": …, "param": null, "code": …}, "request_id": …}

gunicorn's arbiter imports this module before gevent has patched, so it must not import the app.
"""

import json
import secrets
import socket
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors as http_errors
from gunicorn.workers.ggevent import GeventWorker

from gateway.errors import GatewayError, InvalidRequest

LINGER_SECONDS = 1.0
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


class JsonGeventWorker(GeventWorker):
    """gunicorn's gevent worker with errors in JSON."""

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer a request that failed outside of the app, and log it."""
        request_id = f"req_{secrets.token_hex(16)}"
        status, error = describe_failure(exc)
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log.warning("Rejected request %s from %s: %s", request_id, addr, exc)
        else:
            self.log.error("Request %s failed in the server", request_id, exc_info=exc)
        with suppress(OSError):
            client.sendall(make_response(status, error, request_id))
            _discard_rest(client)


def describe_failure(exc: BaseException) -> tuple[int, GatewayError]:
    """Return the status and the error for an exception of gunicorn."""
    if not isinstance(exc, http_errors.ParseException) or isinstance(exc, http_errors.ConfigurationProblem):
        return GatewayError.status, GatewayError()
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
