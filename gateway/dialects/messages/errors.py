"""Write errors in Anthropic's shape.

https://platform.claude.com/docs/en/api/errors
"""

from typing import Any

from gateway.dialects.common.field_errors import FieldNames, translate_error
from gateway.errors import (
    ContextLengthExceeded,
    GatewayError,
    Overloaded,
    ThreadNotFound,
    ThreadRejected,
)

#: Concepts that errors and ignored parameters name, with their names in this dialect. See `common.field_errors`.
FIELD_NAMES: FieldNames = {
    "output_schema": "output_config.format.schema",
    "thinking_budget": "thinking.budget_tokens",
    "fast": "speed",
    "wide_context": "anthropic-beta",
}
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


def error_status(error: GatewayError) -> int:
    """Return the HTTP status that Anthropic's API uses for the error."""
    return OVERLOADED if isinstance(error, Overloaded) else error.status


def error_body(error: GatewayError, request_id: str) -> dict[str, Any]:
    """Return `{"type": "error", "error": {type, message}, "request_id"}`; the shape has no field name.

    Only errors about threads have a code: SDKs send the conversation again in another way after them.
    """
    fallback = "api_error" if error.type == "server_error" else "invalid_request_error"
    described: dict[str, Any] = {
        "type": _TYPES.get(error_status(error), fallback),
        "message": _message(error),
    }
    if isinstance(error, (ThreadNotFound, ThreadRejected)):
        described["details"] = {"error_code": error.code}
    return {"type": "error", "error": described, "request_id": request_id}


def _message(error: GatewayError) -> str:
    message = translate_error(error, FIELD_NAMES).message
    if isinstance(error, ContextLengthExceeded):
        return f"prompt is too long: {message}"  # Anthropic's clients look for these words
    return message
