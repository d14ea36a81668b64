"""The HTTP handler: read requests, record them, apply the rules and let the player send the reply."""

from __future__ import annotations

import traceback
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from .player import fail, play
from .prompt import count_tokens
from .records import Recorded
from .replies import ERROR_TYPES, Failure
from .rules import rejection
from .wire import ClientGone, Stopped, Wire

if TYPE_CHECKING:
    from .server import StandIn

MAX_REQUEST_BYTES = 32 * 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    """One connection. Each stand-in makes a subclass with `standin` set."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 1 << 16
    standin: StandIn

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def handle(self) -> None:
        """Serve requests until either side closes the connection."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def do_POST(self) -> None:
        """Answer a message, a count of tokens, or a path that the API does not have."""
        self._serve()

    def do_GET(self) -> None:
        """Answer a request that checks whether the server is up."""
        self._serve()

    def do_HEAD(self) -> None:
        """Answer a check of whether the server is up. Some versions of the CLI send one before their first request."""
        self._serve()

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        record = self.standin.ledger.open(self.command, self.path, dict(self.headers), raw)
        wire = Wire(self.connection, self.standin.stopping)
        try:
            is_reusable = self._answer(wire, record)
            record.end()
        except ClientGone:
            is_reusable = False
            record.end(aborted=True)
        except Stopped:
            is_reusable = False
            record.end()
        self.close_connection = self.close_connection or not is_reusable

    def _answer(self, wire: Wire, record: Recorded) -> bool:
        if not record.is_message:
            return self._answer_other(wire, record)
        failure = self._find_failure(record)
        if failure:
            return fail(wire, record, failure)
        try:
            reply = self.standin.script.reply_to(record.body, uses_up=not record.is_late)
        except Exception:
            return self._answer_script_error(wire, record)
        return play(wire, record, reply, record.body)

    def _find_failure(self, record: Recorded) -> Failure | None:
        if not record.body:
            return _failure(400, "The request body is not a valid JSON object.")
        if len(record.raw) > MAX_REQUEST_BYTES:
            return _failure(413, "Request exceeds the maximum size")
        model = record.body.get("model")
        if self.standin.is_unknown(model):
            return _failure(404, f"model: {model}")
        message = rejection(record.body, record.betas) if self.standin.strict else None
        return _failure(400, message) if message else None

    def _answer_script_error(self, wire: Wire, record: Recorded) -> bool:
        """Report an exception of a test's own callable, so that the mistake is not searched for elsewhere."""
        error = traceback.format_exc()
        self.standin.script_errors.append(error)
        return fail(wire, record, _failure(500, f"The script of the stand-in failed: {error}"))

    def _answer_other(self, wire: Wire, record: Recorded) -> bool:
        path = record.path.partition("?")[0]
        if record.method == "POST" and path == "/v1/messages/count_tokens":
            return self._answer_json(wire, record, {"input_tokens": count_tokens(record.body)})
        if record.method == "HEAD" or (record.method == "GET" and path == "/"):
            return self._answer_json(wire, record, {"status": "ok"})
        return fail(wire, record, _failure(404, f"Not found: {path}"))

    def _answer_json(self, wire: Wire, record: Recorded, body: dict[str, Any]) -> bool:
        record.begin(200)
        wire.send_json(200, body, {}, record.method == "HEAD")
        return True


def _failure(status: int, message: str) -> Failure:
    return Failure(status, ERROR_TYPES[status], message)
