"""One function turns every exception into a response."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, current_app, g
from flask_smorest import Api
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as HTTPMethodNotAllowed

from gateway.dialects.common import sse
from gateway.errors import GatewayError, InvalidRequest, MethodNotAllowed, NotFound, RequestTooLarge
from gateway.schemas.answers import ErrorSchema
from gateway.schemas.errors import field_error

#: An error's HTTP status and body in a dialect.
Shape = Callable[[GatewayError], tuple[int, dict[str, Any]]]


class OpenAIApi(Api):
    """flask-smorest with every error in OpenAI's shape, or in one that `add_shape` has put before it."""

    ERROR_SCHEMA = ErrorSchema
    DEFAULT_ERROR_RESPONSE_NAME = None  # each operation says which errors it has

    def init_app(self, app: Flask, **options: Any) -> None:
        """Bind to the app."""
        super().init_app(app, **options)
        app.extensions["error_shapes"] = []
        app.register_error_handler(GatewayError, respond)

    def _register_pagination_header(self) -> None:
        """Pages are in the bodies here: without flask-smorest's header and its schema."""

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer an HTTP error."""
        response = respond(from_http(error))
        if isinstance(error, HTTPMethodNotAllowed):
            response.allow.update(error.valid_methods or ())
        return response


def add_shape(app: Flask, applies: Callable[[], bool], shape: Shape) -> None:
    """Answer in `shape` where `applies()`, which is called within the request: at unknown URLs too."""
    app.extensions["error_shapes"].append((applies, shape))


def respond(error: GatewayError) -> Response:
    """The error object with its status, and what SDKs need to know about trying again."""
    g.error = error
    status, body = _shaped(error)
    response = Response(sse.dumps(body), status, mimetype="application/json")
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    if error.should_retry is not None:
        response.headers["x-should-retry"] = str(error.should_retry).lower()
    return response


def _shaped(error: GatewayError) -> tuple[int, dict[str, Any]]:
    shapes: list[tuple[Callable[[], bool], Shape]] = current_app.extensions["error_shapes"]
    shape = next((shape for applies, shape in shapes if applies()), None)
    return shape(error) if shape else (error.status, error.body())


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
