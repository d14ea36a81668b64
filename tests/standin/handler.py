"""HTTP: reads requests, records them, applies the rules and hands over to the player."""

from __future__ import annotations

import traceback
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from .player import fail, play
from .prompt import count_tokens
from .records import Recorded
from .replies import ERROR_TYPES, Failure
from .rules import refusal
from .wire import ClientGone, Stopped, Wire

if TYPE_CHECKING:
    from .server import StandIn

MAX_REQUEST_BYTES = 32 * 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    """One connection. Subclassed for each stand-in, with `standin` set."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 1 << 16
    standin: StandIn

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Serve requests until either side closes the connection."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def do_POST(self) -> None:
        """A message, a count of tokens, or a path the API does not have."""
        self._serve()

    def do_GET(self) -> None:
        """Is it up?"""
        self._serve()

    def do_HEAD(self) -> None:
        """Is it up? Some versions of the CLI ask so before their first request."""
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
        failure = self._refuse(record)
        if failure:
            return fail(wire, record, failure)
        try:
            reply = self.standin.script.reply_to(record.body)
        except Exception:
            return self._answer_fault(wire, record)
        return play(wire, record, reply, record.body)

    def _refuse(self, record: Recorded) -> Failure | None:
        if not record.body:
            return _failure(400, "The request body is not valid JSON: a JSON object was expected")
        if len(record.raw) > MAX_REQUEST_BYTES:
            return _failure(413, "Request exceeds the maximum size")
        model = record.body.get("model")
        if self.standin.is_unknown(model):
            return _failure(404, f"model: {model}")
        message = refusal(record.body, record.betas) if self.standin.strict else None
        return _failure(400, message) if message else None

    def _answer_fault(self, wire: Wire, record: Recorded) -> bool:
        """A test's own callable has failed: loudly, so that nobody looks for the mistake elsewhere."""
        fault = traceback.format_exc()
        self.standin.faults.append(fault)
        return fail(wire, record, _failure(500, f"the stand-in's script failed: {fault}"))

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
