"""The formats of errors on the wire: OpenAI's, and the format of Anthropic's Messages API."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.dialects.messages.errors import error_body, error_status
from gateway.errors import GatewayError


@dataclass(frozen=True, slots=True)
class ErrorFormat:
    """The HTTP status and the body of an error; `make_body` also takes the request's id.

    In the OpenAPI description, `schema` names the schema of the body, and `prefix` begins the names of its examples.
    """

    schema: str
    prefix: str
    find_status: Callable[[GatewayError], int]
    make_body: Callable[[GatewayError, str], dict[str, Any]]


OPENAI = ErrorFormat("Error", "", lambda error: error.status, lambda error, _: error.body())
ANTHROPIC = ErrorFormat("AnthropicError", "Anthropic", error_status, error_body)
