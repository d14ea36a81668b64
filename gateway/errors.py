"""All errors that a client can get. Each has an HTTP status, a type and a code.

GatewayError
├── ClientError
│   ├── InvalidRequest 400
│   │   ├── UnsupportedParameter
│   │   ├── ContextLengthExceeded
│   │   ├── ModelNotSupported
│   │   ├── KeyRevoked
│   │   ├── RequestTooLarge 413
│   │   └── ProjectTooLarge 413
│   ├── Unauthorized 401
│   │   ├── MissingKey
│   │   └── InvalidKey
│   ├── Forbidden 403
│   │   ├── AdminRequired
│   │   ├── ModelNotAllowed
│   │   ├── ProjectNotAllowed
│   │   └── AgentsNotAllowed
│   ├── NotFound 404
│   │   ├── KeyNotFound
│   │   ├── ModelNotFound
│   │   ├── ProjectNotFound
│   │   ├── ProjectFileNotFound
│   │   ├── ResponseNotFound
│   │   └── SessionNotFound
│   ├── MethodNotAllowed 405
│   ├── NotServed 501
│   ├── TurnStopped 409
│   └── SessionBusy 409
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
└── ClientGone 499 (never sent, because the client has left)

The dialects encode them; the default shape is https://platform.openai.com/docs/guides/error-codes.

>>> InvalidRequest("Invalid 'n': Expected an integer.", param="n").body()["error"]["code"]
'invalid_request'
"""

from __future__ import annotations

from typing import Any


class GatewayError(Exception):
    """An unexpected failure of the gateway, and the base of all errors.

    `param` names the field of the request that caused the error. `retry_after` is in seconds. If `should_retry` is
    False, the header `x-should-retry` tells SDKs that another attempt cannot help.
    """

    status = 500
    type = "server_error"
    code = "internal_error"
    default_message = "The gateway failed unexpectedly. Its log has the details under the id of this request."

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
        """Return the error in OpenAI's shape: `{"error": {message, type, param, code}}`."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


class ClientError(GatewayError):
    """The client has to change something, or has caused the error itself. OpenAI has one type for all of these."""

    type = "invalid_request_error"


class InvalidRequest(ClientError):
    """The request is malformed or not allowed in this form."""

    status = 400
    code = "invalid_request"
    default_message = "The request is not valid."


class UnsupportedParameter(InvalidRequest):
    """A parameter would change the answer, but the gateway cannot honor it."""

    code = "unsupported_parameter"


class ContextLengthExceeded(InvalidRequest):
    """The prompt exceeds the model's context window."""

    code = "context_length_exceeded"  # clients look for this code


class ModelNotSupported(InvalidRequest):
    """The model does not exist, or every model that was tried was refused."""

    code = "model_not_supported"


class RequestTooLarge(InvalidRequest):
    """The body is larger than MAX_REQUEST_BYTES."""

    status = 413
    code = "request_too_large"


class ProjectTooLarge(InvalidRequest):
    """The files of the project exceed MAX_PROJECT_SIZE_MB, or would exceed it after this request."""

    status = 413
    code = "project_too_large"


class KeyRevoked(InvalidRequest):
    """The key is revoked, and cannot be changed any more."""

    code = "key_revoked"


class Unauthorized(ClientError):
    """The client is unknown."""

    status = 401
    code = "invalid_api_key"


class MissingKey(Unauthorized):
    """The request has no API key."""

    code = "missing_api_key"
    default_message = "No API key. Send one as 'Authorization: Bearer KEY' or 'x-api-key: KEY'."


class InvalidKey(Unauthorized):
    """The API key is unknown, expired or revoked; the response does not say which."""

    default_message = "The API key is not valid."


class Forbidden(ClientError):
    """The key is valid, but does not allow this."""

    status = 403
    code = "forbidden"


class AdminRequired(Forbidden):
    """This needs an admin key."""

    code = "admin_required"
    default_message = "This needs an admin key. Create one with: python -m gateway keys create NAME --admin"


class ModelNotAllowed(Forbidden):
    """The key does not allow this model."""

    code = "model_not_allowed"


class ProjectNotAllowed(Forbidden):
    """The key does not allow this with this project, or may not create projects."""

    code = "project_not_allowed"


class AgentsNotAllowed(Forbidden):
    """The operator does not allow agents, which use Claude Code's own tools, or does not allow this tool."""

    code = "agents_not_allowed"


class NotFound(ClientError):
    """The resource does not exist."""

    status = 404
    code = "not_found"


class KeyNotFound(NotFound):
    """No API key has this id."""

    code = "key_not_found"


class ModelNotFound(NotFound):
    """No model has this id."""

    code = "model_not_found"


class ProjectNotFound(NotFound):
    """No project of this client has this id."""

    code = "project_not_found"


class ProjectFileNotFound(NotFound):
    """The project has no such file."""

    code = "file_not_found"


class ResponseNotFound(NotFound):
    """No stored response of this client has this id."""

    code = "response_not_found"


class SessionNotFound(NotFound):
    """No session of this client has this id, or it has expired."""

    code = "session_not_found"


class MethodNotAllowed(ClientError):
    """The path does not support this HTTP method."""

    status = 405
    code = "method_not_allowed"


class NotServed(ClientError):
    """A part of OpenAI's API that Claude Code cannot serve. Another attempt never helps."""

    status = 501
    code = "not_implemented"


class RateLimited(GatewayError):
    """The account behind the gateway has reached a limit."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class TooManyTurns(RateLimited):
    """MAX_CONCURRENT_SESSIONS answers are being written, and the queue is full or too slow."""

    code = "too_many_turns"
    default_message = "Too many answers are being written now. Try again shortly."


class LimitReached(RateLimited):
    """The client has reached a limit per minute, or its limit of concurrent answers."""


class QuotaExceeded(RateLimited):
    """The client's budget for the day or month is used up, so trying again soon cannot help."""

    type = "insufficient_quota"
    code = "insufficient_quota"


class UpstreamError(GatewayError):
    """The CLI or the API behind it failed during the answer."""

    status = 502
    code = "upstream_error"


class Unavailable(GatewayError):
    """The gateway cannot answer now."""

    status = 503
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
    """The gateway is shutting down and cannot finish this answer."""

    code = "shutting_down"
    default_message = "The gateway is restarting and cut this answer off. Try again."


class StoreError(Unavailable):
    """The database is locked, full, damaged or unreachable."""

    code = "store_unavailable"
    default_message = "The gateway's database is not available. Try again shortly."


class TurnTimeout(GatewayError):
    """The CLI sent nothing for too long, or the whole answer took too long."""

    status = 504
    code = "timeout"


class TurnStopped(ClientError):
    """Another request of the same client stopped the answer."""

    status = 409
    code = "stopped"
    default_message = "Another request stopped the answer."


class SessionBusy(ClientError):
    """Another answer of the same session is being written."""

    status = 409
    code = "session_busy"
    default_message = "Another answer of this session is being written. Wait until it ends, or stop it."


class ClientGone(GatewayError):
    """The client closed its connection, so this error is never sent."""

    status = 499
    type = "client_closed_request"
    code = "client_closed_request"
    default_message = "The client closed the connection."
