"""The WebSocket mode of `/v1/responses`: one connection for many responses, one after the other.

https://platform.openai.com/docs/guides/websocket-mode and https://www.openresponses.org/specification#websocket-transport.
For example, a client sends this message and gets the events of a stream, each as one message:

    {"type": "response.create", "model": "sonnet", "input": "Hello", "store": false}

Each message becomes a POST to the app itself, so keys, limits, logs and errors are the same.
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from time import monotonic
from typing import Any

import gevent
import werkzeug
from flask import Blueprint, Flask, Response, current_app, request
from gevent.queue import Empty, Queue
from gunicorn.workers.base_async import ALREADY_HANDLED

from gateway.api.http.bodies import read_json
from gateway.api.http.context import get_services
from gateway.api.http.socket_link import SocketLink
from gateway.api.http.streaming import IGNORED_HEADER, REPAIRED_HEADER
from gateway.api.http.websocket import WebSocket
from gateway.dialects.common import sse
from gateway.dialects.common.field_errors import invalid_field, unsupported_field
from gateway.dialects.common.json_types import Body
from gateway.errors import ClientGone, GatewayError, InvalidRequest, RequestTooLarge, TurnStopped
from gateway.lenient_json import dumps, loads

PATH = "/v1/responses"
MAX_SECONDS = 60 * 60.0  # the limit of OpenAI's servers, which clients expect
CLOSE_SECONDS = 1.0  # for the client's answer to the close frame
MAX_WAITING = 4  # messages; the client cannot send more until one of them is answered

# Codes of RFC 6455 and its registry. SDKs connect again after a restart.
GOING_AWAY, TOO_BIG, RESTART = 1001, 1009, 1012

#: Headers of the HTTP response that a client of a WebSocket gets in a message.
_TOLD = ("x-request-id", "retry-after", "x-should-retry", IGNORED_HEADER, REPAIRED_HEADER)
_OWN_HEADERS = ("content-type", "content-length", "connection", "date", "server")
_DROPPED = (
    "HTTP_UPGRADE",
    "HTTP_CONNECTION",
    "HTTP_CONTENT_ENCODING",
    "HTTP_X_REQUEST_ID",
    "gunicorn.socket",
)

blueprint = Blueprint("response_socket", __name__)


class AgeLimit(InvalidRequest, code="websocket_connection_limit_reached"):
    """The connection is too old."""


#: Errors that end the connection.
_CLOSE_CODES: dict[type[GatewayError], int] = {AgeLimit: GOING_AWAY, RequestTooLarge: TOO_BIG}


@blueprint.route(PATH, websocket=True)
def open_socket() -> Response:
    """Accept a WebSocket. The connection lives as long as its response."""
    services = get_services()
    socket = WebSocket(request.environ, services.settings.max_request_bytes)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return _SocketResponse(ResponseSocket(socket, app, request.environ))


class _SocketResponse(Response):
    """The end of the handshake, and the connection after it. Hooks may add headers."""

    def __init__(self, connection: "ResponseSocket") -> None:
        super().__init__(status=101)
        self._responses = connection

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Complete the handshake and serve the connection until its end."""
        closers = get_services().socket_closers
        closers.add(self._responses.retire)
        try:
            headers = [(name, value) for name, value in self.headers if name.lower() not in _OWN_HEADERS]
            self._responses.serve(headers)
        finally:
            closers.discard(self._responses.retire)
            self.close()
        return ALREADY_HANDLED


class ResponseSocket:
    """One connection: a greenlet takes the client's messages, while another one answers them in their order."""

    def __init__(self, socket: WebSocket, app: Flask, environ: dict[str, Any]) -> None:
        self._socket = socket
        self._app = app
        self._environ = environ
        self._link = SocketLink()
        self._waiting: Queue[Body | GatewayError | None] = Queue(MAX_WAITING)
        self._ends_at = monotonic() + MAX_SECONDS

    def serve(self, headers: list[tuple[str, str]]) -> None:
        """Accept the connection and answer its messages until it is closed."""
        self._socket.accept(headers)
        reader = gevent.spawn(self._read)
        try:
            self._answer_all()
        finally:
            reader.join(CLOSE_SECONDS)
            reader.kill()
            self._socket.abort()

    def retire(self) -> None:
        """Close the connection when its messages so far are answered, because the worker ends."""
        gevent.spawn(self._waiting.put, None)

    def _read(self) -> None:
        try:
            for message in self._socket.messages():
                self._take(message)
        except RequestTooLarge as error:
            self._waiting.put(error)
            self._socket.discard_rest()
        self._link.report_gone(ClientGone())
        self._waiting.put(None)

    def _take(self, message: bytes) -> None:
        """Act on a message that is about the running response, and let others wait for their turn."""
        try:
            event = read_json(message)
            kind = event.get("type") if isinstance(event, dict) else None
            if kind == "response.cancel":
                self._link.cancel(TurnStopped())
            elif kind == "response.create":
                self._waiting.put(event)
            elif kind != "response.processed":  # Codex confirms each response
                raise invalid_field("type", "Expected response.create or response.cancel.")
        except GatewayError as error:
            self._waiting.put(error)

    def _answer_all(self) -> None:
        while self._socket.is_open:
            event = self._await_event()
            if event is None:
                self._socket.close(RESTART, "service restart")
            elif isinstance(event, GatewayError):
                self._send_error(event)
                if type(event) in _CLOSE_CODES:
                    self._socket.close(_CLOSE_CODES[type(event)], str(event.code))
            else:
                self._answer(event)

    def _await_event(self) -> Body | GatewayError | None:
        """Return the next message of the client, an error, or None when the connection has to end."""
        try:
            rest = self._ends_at - monotonic()
            if rest > 0:
                return self._waiting.get(timeout=rest)
        except Empty:
            pass  # no message came before the connection was too old
        return AgeLimit("WebSockets are limited to 60 minutes. Open a new one to continue.")

    def _answer(self, event: Body) -> None:
        """Send the events of one response, or the error that the request got."""
        lane = event.pop("stream_id", None)
        send = _Sender(self._socket.send, lane if isinstance(lane, str) else None)
        try:
            response = self._request(event)
        except GatewayError as error:
            send.error(error.status, error.body(), {})
            return
        try:
            told = {name: response.headers[name] for name in _TOLD if name in response.headers}
            if response.status_code == 200:
                has_failed = send.stream(response.iter_encoded(), told)
            else:
                send.error(response.status_code, loads(response.get_data()), told)
                has_failed = True
        finally:
            response.close()
        previous = event.get("previous_response_id")
        if has_failed and isinstance(previous, str):
            self._link.memory.forget(previous)

    def _request(self, event: Body) -> werkzeug.Response:
        """Return the app's own response to the message. Raises UnsupportedParameter."""
        if event.get("background"):
            raise unsupported_field("background", "A WebSocket has no background responses. Use POST.")
        body = dumps({**event, "type": None, "stream": True})
        environ = {
            **{key: value for key, value in self._environ.items() if _is_kept(key)},
            "REQUEST_METHOD": "POST",
            "PATH_INFO": PATH,
            "QUERY_STRING": "",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": BytesIO(body),
        }
        self._link.attach(environ)
        return werkzeug.Response.from_app(self._app.wsgi_app, environ)

    def _send_error(self, error: GatewayError) -> None:
        _Sender(self._socket.send, None).error(error.status, error.body(), {})


class _Sender:
    """Sends the events of one response. In a lane, they carry its `stream_id`."""

    def __init__(self, send: Callable[[str], None], lane: str | None) -> None:
        self._send = send
        self._lane = {} if lane is None else {"stream_id": lane}

    def error(self, status: int, body: Body, headers: dict[str, str]) -> None:
        """Send the envelope of an error that has an HTTP status."""
        told = {"headers": headers} if headers else {}
        self._send(dumps({"type": "error", "status": status, **body, **told, **self._lane}).decode())

    def stream(self, chunks: Iterator[bytes], headers: dict[str, str]) -> bool:
        """Send the events of a stream, and return True if it has failed.

        A failed response ends with `response.failed` alone: clients would take an event `error` before it for the end,
        and `response.failed` for an answer to their next message.
        """
        kind = ""
        for kind, data in _split_events(chunks):
            if kind == "error":
                continue
            more = {"headers": headers} if kind == "response.created" and headers else {}
            self._send(_with_fields(data, {**more, **self._lane}).decode())
        return kind == "response.failed"


def _split_events(chunks: Iterator[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the data of each event of a stream. Each chunk has whole events."""
    for chunk in chunks:
        for event in chunk.split(sse.END):
            name, _, data = event.partition(b"\n" + sse.DATA)
            if data:
                yield name.removeprefix(b"event: ").decode(), data


def _with_fields(data: bytes, fields: Body) -> bytes:
    """Return a JSON object with more fields, without reading it again.

    >>> _with_fields(b'{"type":"a"}', {"stream_id": "x"})
    b'{"type":"a","stream_id":"x"}'
    """
    return data[:-1] + b"," + dumps(fields)[1:] if fields else data


def _is_kept(key: str) -> bool:
    """Return True for the parts of the connection's environment that describe each of its requests."""
    return key not in _DROPPED and not key.startswith(("HTTP_SEC_WEBSOCKET", "werkzeug.", "wsgi.input"))
