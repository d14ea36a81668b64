"""The id of each request: in every log line of the request, and in the `x-request-id` header of its response."""

import re
import secrets

import structlog
from flask import Flask, Response, request

from gateway.api.http.context import begin_request, get_state

HEADER = "x-request-id"
_VALID = re.compile(r"[\w.:-]{1,128}", re.ASCII)


def init_app(app: Flask) -> None:
    """Give each request an id: the client's own, if it is safe in a header and a log, otherwise a random one."""
    app.before_request(_assign_id)
    app.after_request(_add_header)


def _assign_id() -> None:
    offered = request.headers.get(HEADER, "")
    request_id = offered if _VALID.fullmatch(offered) else f"req_{secrets.token_hex(16)}"
    begin_request(request_id)
    # One greenlet serves all requests of a connection. This is the only variable, and it replaces the last request's.
    structlog.contextvars.bind_contextvars(request_id=request_id)


def _add_header(response: Response) -> Response:
    response.headers[HEADER] = get_state().request_id
    return response
