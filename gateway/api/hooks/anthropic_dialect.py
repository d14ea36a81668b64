"""What is common to all answers in Anthropic's dialect: when it is spoken, its errors, its headers."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, g, request

from gateway.api.hooks import errors
from gateway.dialects.common import sse
from gateway.dialects.messages import errors as anthropic_errors
from gateway.errors import GatewayError

VERSION_HEADER = "anthropic-version"
REQUEST_ID_HEADER = "request-id"
MESSAGES = "/v1/messages"

# OpenAI's dialect, whatever headers come with it.
_OPENAI = ("/v1/chat/", "/v1/completions", "/v1/responses")


def init_app(app: Flask) -> None:
    """Speak Anthropic's dialect where it is asked for."""
    errors.add_shape(app, is_asked, _error)
    app.after_request(_identify)


def is_asked() -> bool:
    """Whether the request is for the Messages API, or comes from a client of it to a URL that both APIs have."""
    if request.path == MESSAGES or request.path.startswith(f"{MESSAGES}/"):
        return True
    return VERSION_HEADER in request.headers and not request.path.startswith(_OPENAI)


def answer(body: dict[str, Any]) -> Response:
    """A body in Anthropic's shape, at a URL that both APIs have."""
    return Response(sse.dumps(body), mimetype="application/json")


def _error(error: GatewayError) -> tuple[int, dict[str, Any]]:
    return anthropic_errors.status(error), anthropic_errors.body(error, g.get("request_id", ""))


def _identify(response: Response) -> Response:
    """Anthropic's SDKs look for the request's id under their own name."""
    if is_asked():
        response.headers[REQUEST_ID_HEADER] = g.get("request_id", "")
    if request.path.startswith("/v1/models"):
        response.vary.add(VERSION_HEADER)
    return response
