"""Every error a client can meet; each knows its HTTP status, type and code.

GatewayError
├── InvalidRequest 400
│   ├── UnsupportedParameter
│   ├── ContextLengthExceeded
│   ├── ModelNotSupported
│   ├── KeyRevoked
│   ├── RequestTooLarge 413
│   └── ProjectTooLarge 413
├── Unauthorized 401
│   ├── MissingKey
│   └── InvalidKey
├── Forbidden 403
│   ├── AdminRequired
│   ├── ModelNotAllowed
│   ├── ProjectNotAllowed
│   └── AgentsNotAllowed
├── NotFound 404
│   ├── KeyNotFound
│   ├── ModelNotFound
│   ├── ProjectNotFound
│   ├── ProjectFileNotFound
│   ├── ResponseNotFound
│   └── SessionNotFound
├── MethodNotAllowed 405
├── NotServed 501
├── RateLimited 429
│   ├── TooManyTurns
│   ├── LimitReached
│   └── QuotaExceeded
├── UpstreamError 502
├── Unavailable 503
│   ├── ClaudeUnavailable
│   ├── NotLoggedIn
│   ├── Overloaded
│   ├── ShuttingDown
│   └── StoreError
├── TurnTimeout 504
├── TurnStopped 409
├── SessionBusy 409
└── ClientGone 499 (never sent: the client has left)

The wire form follows https://platform.openai.com/docs/guides/error-codes; dialects encode it.
"""

from __future__ import annotations

from typing import Any


class GatewayError(Exception):
    """Base of the tree, and what an unforeseen failure becomes.

    `param` names the offending field of the request. `retry_after` is in seconds. `should_retry` False tells
    SDKs that trying again cannot help (header `x-should-retry`).
    """

    status = 500
    type = "server_error"
    code = "internal_error"
    default_message = (
        "The gateway failed in an unforeseen way. The log has the details under this request's id."
    )

    def __init__(
        self,
        message: str | None = None,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        self.message = message or self.default_message
        super().__init__(self.message)
        self.param = param
        self.code = code or type(self).code
        self.retry_after = retry_after
        self.should_retry = should_retry

    def body(self) -> dict[str, Any]:
        """The OpenAI error object: `{"error": {message, type, param, code}}`."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


class InvalidRequest(GatewayError):
    """The request cannot be understood or is not allowed as it is."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_request"
    default_message = "The request is not valid."


class UnsupportedParameter(InvalidRequest):
    """A parameter that would change the answer and cannot be honoured."""

    code = "unsupported_parameter"


class ContextLengthExceeded(InvalidRequest):
    """The prompt does not fit the model's window. Clients look for the words and the code."""

    code = "context_length_exceeded"


class ModelNotSupported(InvalidRequest):
    """No such model, or every model tried was refused."""

    code = "model_not_supported"


class RequestTooLarge(InvalidRequest):
    """The body is larger than MAX_REQUEST_BYTES."""

    status = 413
    code = "request_too_large"


class ProjectTooLarge(InvalidRequest):
    """The project's files would be, or are, more than MAX_PROJECT_SIZE_MB."""

    status = 413
    code = "project_too_large"


class KeyRevoked(InvalidRequest):
    """A revoked key stays revoked."""

    code = "key_revoked"


class Unauthorized(GatewayError):
    """Nobody that the gateway knows. OpenAI calls it an invalid request, too."""

    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class MissingKey(Unauthorized):
    """No key in the request."""

    code = "missing_api_key"
    default_message = "No API key. Send one as 'Authorization: Bearer KEY' or 'x-api-key: KEY'."


class InvalidKey(Unauthorized):
    """A key that is unknown, expired or revoked; which of them is not told."""

    default_message = "The API key is not valid."


class Forbidden(GatewayError):
    """The key is known, but not for this."""

    status = 403
    type = "invalid_request_error"
    code = "forbidden"


class AdminRequired(Forbidden):
    """Only admin keys may see this."""

    code = "admin_required"
    default_message = "This needs an admin key. Make one with: python -m gateway keys create NAME --admin"


class ModelNotAllowed(Forbidden):
    """The key is for other models."""

    code = "model_not_allowed"


class ProjectNotAllowed(Forbidden):
    """The key may not do this with this project, or may make none."""

    code = "project_not_allowed"


class AgentsNotAllowed(Forbidden):
    """The operator does not allow projects in which Claude Code's own tools work, or not this tool."""

    code = "agents_not_allowed"


class NotFound(GatewayError):
    """No such resource."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class KeyNotFound(NotFound):
    """No API key has this id."""

    code = "key_not_found"


class ModelNotFound(NotFound):
    """`GET /v1/models/{id}` of an unknown model."""

    code = "model_not_found"


class ProjectNotFound(NotFound):
    """No such project, or another owner's."""

    code = "project_not_found"


class ProjectFileNotFound(NotFound):
    """The project has no such file."""

    code = "file_not_found"


class ResponseNotFound(NotFound):
    """No stored response has this id, or it is somebody else's."""

    code = "response_not_found"


class SessionNotFound(NotFound):
    """No session of the asker has this id, or it has expired."""

    code = "session_not_found"


class MethodNotAllowed(GatewayError):
    """The path exists, the method does not."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class NotServed(GatewayError):
    """A part of OpenAI's API that Claude Code has nothing for. Trying again never helps."""

    status = 501
    type = "invalid_request_error"
    code = "not_implemented"


class RateLimited(GatewayError):
    """The account behind the CLI has reached a limit."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class TooManyTurns(RateLimited):
    """All turns that MAX_CONCURRENT_SESSIONS allows are running and the queue is full or too slow."""

    code = "too_many_turns"
    default_message = "Too many answers are being written at once. Try again shortly."


class LimitReached(RateLimited):
    """The client has reached one of its own limits a minute, or of answers at once."""


class QuotaExceeded(RateLimited):
    """The client's budget for a day or a month is used up: trying again soon cannot help."""

    type = "insufficient_quota"
    code = "insufficient_quota"


class UpstreamError(GatewayError):
    """The CLI or the API behind it failed in the course of a turn."""

    status = 502
    type = "server_error"
    code = "upstream_error"


class Unavailable(GatewayError):
    """The gateway cannot answer now."""

    status = 503
    type = "server_error"
    code = "unavailable"


class ClaudeUnavailable(Unavailable):
    """The Claude Code CLI is missing, too old, or does not start."""

    code = "claude_unavailable"


class NotLoggedIn(Unavailable):
    """The CLI has no valid login."""

    code = "claude_not_logged_in"


class Overloaded(Unavailable):
    """Anthropic's API is overloaded."""

    code = "overloaded"


class ShuttingDown(Unavailable):
    """The gateway is stopping and cannot finish this answer."""

    code = "shutting_down"
    default_message = "The gateway is restarting; this answer was cut off. Try again."


class StoreError(Unavailable):
    """The database is locked, full, broken or not there."""

    code = "store_unavailable"
    default_message = "The gateway's database is not available now. Try again shortly."


class TurnTimeout(GatewayError):
    """Nothing came from the CLI for too long, or the turn took too long in all."""

    status = 504
    type = "server_error"
    code = "timeout"


class TurnStopped(GatewayError):
    """The answer was stopped on request, by another one of the same owner."""

    status = 409
    type = "invalid_request_error"
    code = "stopped"
    default_message = "The answer was stopped on request."


class SessionBusy(GatewayError):
    """Another answer of the same session is being written."""

    status = 409
    type = "invalid_request_error"
    code = "session_busy"
    default_message = "An answer of this session is being written. Wait for its end, or stop it."


class ClientGone(GatewayError):
    """The client closed its connection; nobody will read this."""

    status = 499
    type = "client_closed_request"
    code = "client_closed_request"
    default_message = "The client closed the connection."
