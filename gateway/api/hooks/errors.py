"""Turn every exception into a response, in the dialect of the request."""

import math
from functools import cached_property
from typing import Any

from flask import Flask, Response
from flask_smorest import Api
from gunicorn.http.errors import ParseException
from limits.errors import StorageError
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as HTTPMethodNotAllowed
from werkzeug.routing.exceptions import WebsocketMismatch

from gateway import errors
from gateway.api.http.context import get_state
from gateway.api.http.gunicorn_worker import describe_failure
from gateway.api.http.streaming import json_response
from gateway.errors import GatewayError, StoreError
from gateway.lenient_json import dumps
from gateway.schemas.answers import ErrorSchema
from gateway.schemas.errors import field_error


class GatewayApi(Api):
    """flask-smorest with every error in the form of the request's dialect."""

    ERROR_SCHEMA = ErrorSchema
    DEFAULT_ERROR_RESPONSE_NAME = None  # each operation documents its own errors

    def init_app(self, app: Flask, **options: Any) -> None:
        """Bind to the app."""
        super().init_app(app, **options)
        app.register_error_handler(GatewayError, respond_with_error)
        # Raised while the app reads a body with broken chunks.
        app.register_error_handler(
            ParseException, lambda error: respond_with_error(describe_failure(error)[1])
        )
        # Raised by the counters of the limits if they are in Redis.
        app.register_error_handler(StorageError, lambda _: respond_with_error(StoreError(retry_after=1)))

    @cached_property
    def description(self) -> bytes:
        """Return the OpenAPI description as JSON. It is built once, because that takes a second."""
        return dumps(self.spec.to_dict())

    def _register_pagination_header(self) -> None:
        """Leave out flask-smorest's header: pages are described in the bodies."""

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer an HTTP error."""
        response = respond_with_error(from_http_exception(error))
        if isinstance(error, HTTPMethodNotAllowed):
            response.allow.update(error.valid_methods or ())
        return response


def respond_with_error(error: GatewayError) -> Response:
    """Return the error's status and body, with the headers by which SDKs decide whether to retry."""
    state = get_state()
    state.error = error
    response = json_response(state.error_format.make_body(error, state.request_id))
    response.status_code = state.error_format.find_status(error)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    if error.should_retry is not None:
        response.headers["x-should-retry"] = str(error.should_retry).lower()
    return response


def from_http_exception(error: HTTPException) -> GatewayError:
    """Return the GatewayError for an exception of werkzeug, for example a validation error of flask-smorest."""
    messages = getattr(error, "data", {}).get("messages")
    if messages:
        return field_error(messages)
    if isinstance(error, WebsocketMismatch):
        problem = "This URL takes no WebSockets. They work for /v1/responses."
        return errors.NotFound(problem, code="unknown_url")
    if error.code == 404:
        return errors.NotFound("This URL does not exist. GET / lists the endpoints.", code="unknown_url")
    if error.code == 405:
        return errors.MethodNotAllowed("This method is not allowed for this URL.")
    if error.code == 413:
        return errors.RequestTooLarge("The request body is larger than MAX_REQUEST_BYTES allows.")
    if error.code is not None and 400 <= error.code < 500:
        return errors.InvalidRequest(error.description or "")
    return GatewayError()
