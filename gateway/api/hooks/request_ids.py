"""A request's id: in every log line of the request and in the `x-request-id` of its answer."""

from __future__ import annotations

import re
import secrets

import structlog
from flask import Flask, Response, g, request

HEADER = "x-request-id"
_ACCEPTABLE = re.compile(r"[\w.:-]{1,128}", re.ASCII)


def init_app(app: Flask) -> None:
    """Give each request an id, its client's own where that is fit for a header and a log."""
    app.before_request(_begin)
    app.after_request(_finish)


def _begin() -> None:
    offered = request.headers.get(HEADER, "")
    g.request_id = offered if _ACCEPTABLE.fullmatch(offered) else f"req_{secrets.token_hex(16)}"
    # One greenlet serves all requests of a connection: nothing of the last one may stay.
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _finish(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    return response
