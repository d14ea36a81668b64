"""The parts of Anthropic's dialect that are common to all its responses: the format of errors, and headers."""

import time

from flask import Flask, Response, request

from gateway.accounts.account import DEFAULT
from gateway.api.http.context import get_services, get_state
from gateway.api.http.error_format import ANTHROPIC
from gateway.dialects.messages.limit_headers import make_limit_headers

VERSION_HEADER = "anthropic-version"
BETA_HEADER = "anthropic-beta"
FILES_BETA = "files-api-"  # curl examples for files send only this one
REQUEST_ID_HEADER = "request-id"
MESSAGES_PATH = "/v1/messages"

# Both APIs have these paths, with different bodies.
_SHARED_PATHS = ("/v1/models", "/v1/files")

# These paths always speak OpenAI's dialect, even if the client sends Anthropic's headers.
_OPENAI_PATHS = ("/v1/chat/", "/v1/completions", "/v1/responses", "/v1/batches")


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
    is_anthropic = VERSION_HEADER in request.headers or FILES_BETA in request.headers.get(BETA_HEADER, "")
    if is_messages or (is_anthropic and not path.startswith(_OPENAI_PATHS)):
        get_state().error_format = ANTHROPIC


def _add_headers(response: Response) -> Response:
    """Send the request's id under the name that Anthropic's SDKs read, and the state of the account's windows."""
    if is_anthropic_request():
        state = get_state()
        response.headers[REQUEST_ID_HEADER] = state.request_id
        if state.answer is not None:
            windows = get_services().accounts.windows(state.answer.record.account or DEFAULT)
            response.headers.update(make_limit_headers(windows, time.time()))
    if request.path.startswith(_SHARED_PATHS):
        response.vary.update((VERSION_HEADER, BETA_HEADER))
    return response
