"""One function turns every exception into a response."""

from __future__ import annotations

import math
from typing import Any

from flask import Flask, Response, g
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from gateway.dialects import sse
from gateway.errors import GatewayError, InvalidRequest, MethodNotAllowed, NotFound, RequestTooLarge
from gateway.schemas.errors import field_error


class OpenAIApi(Api):
    """flask-smorest with every error in OpenAI's shape."""

    def init_app(self, app: Flask, **options: Any) -> None:
        """Bind to the app."""
        super().init_app(app, **options)
        app.register_error_handler(GatewayError, respond)

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer an HTTP error."""
        return respond(from_http(error))


def respond(error: GatewayError) -> Response:
    """The error object with its status, and what SDKs need to know about trying again."""
    g.error = error
    response = Response(sse.dumps(error.body()), error.status, mimetype="application/json")
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    if error.should_retry is not None:
        response.headers["x-should-retry"] = str(error.should_retry).lower()
    return response


def from_http(error: HTTPException) -> GatewayError:
    """A GatewayError for one of werkzeug's, validation errors of flask-smorest among them."""
    messages = getattr(error, "data", {}).get("messages")
    if messages:
        return field_error(messages)
    description = error.description or ""
    if error.code == 404:
        return NotFound("There is nothing at this URL. GET / lists what there is.", code="unknown_url")
    if error.code == 405:
        return MethodNotAllowed("This method is not allowed for this URL.")
    if error.code == 413:
        return RequestTooLarge("The request body is larger than the gateway takes (MAX_REQUEST_BYTES).")
    if error.code is not None and 400 <= error.code < 500:
        return InvalidRequest(description)
    return GatewayError()
