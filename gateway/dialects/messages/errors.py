"""Errors in Anthropic's shape. https://platform.claude.com/docs/en/api/errors"""

from __future__ import annotations

from typing import Any

from gateway.errors import ContextLengthExceeded, GatewayError, Overloaded

OVERLOADED = 529

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    OVERLOADED: "overloaded_error",
}


def status(error: GatewayError) -> int:
    """The HTTP status that Anthropic's API uses."""
    return OVERLOADED if isinstance(error, Overloaded) else error.status


def body(error: GatewayError, request_id: str) -> dict[str, Any]:
    """`{"type": "error", "error": {type, message}, "request_id"}`. There is no room for a code or a field's name."""
    return {
        "type": "error",
        "error": {"type": _type(error), "message": _message(error)},
        "request_id": request_id,
    }


def _type(error: GatewayError) -> str:
    fallback = "api_error" if error.type == "server_error" else "invalid_request_error"
    return _TYPES.get(status(error), fallback)


def _message(error: GatewayError) -> str:
    if isinstance(error, ContextLengthExceeded):
        return f"prompt is too long: {error.message}"  # the words that Anthropic's clients look for
    if error.code == "invalid_json_schema":
        return "Invalid 'output_config.format.schema': the schema is not one that the model can follow."
    return error.message
