"""The parts of Anthropic's dialect that are common to all its responses: the format of errors, and headers."""

from flask import Flask, Response, request

from gateway.api.http.context import get_state
from gateway.api.http.error_format import ANTHROPIC

VERSION_HEADER = "anthropic-version"
REQUEST_ID_HEADER = "request-id"
MESSAGES_PATH = "/v1/messages"

# These paths always speak OpenAI's dialect, even if the client sends Anthropic's headers.
_OPENAI_PATHS = ("/v1/chat/", "/v1/completions", "/v1/responses")


def init_app(app: Flask) -> None:
    """Speak Anthropic's dialect to its clients."""
    app.before_request(_choose_error_format)
    app.after_request(_add_headers)


def is_anthropic_request() -> bool:
    """Return True for the Messages API, and for its clients at a URL that both APIs have."""
    return get_state().error_format is ANTHROPIC


def _choose_error_format() -> None:
    path = request.path
    is_messages = path == MESSAGES_PATH or path.startswith(f"{MESSAGES_PATH}/")
    if is_messages or (VERSION_HEADER in request.headers and not path.startswith(_OPENAI_PATHS)):
        get_state().error_format = ANTHROPIC


def _add_headers(response: Response) -> Response:
    """Send the request's id also under the name that Anthropic's SDKs read."""
    if is_anthropic_request():
        response.headers[REQUEST_ID_HEADER] = get_state().request_id
    if request.path.startswith("/v1/models"):
        response.vary.add(VERSION_HEADER)
    return response
