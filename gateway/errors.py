"""All errors that a client can get. Each has an HTTP status, a type and a code.

GatewayError
├── ClientError
│   ├── InvalidRequest 400
│   │   ├── UnsupportedParameter
│   │   ├── ContextLengthExceeded
│   │   ├── ModelNotSupported
│   │   ├── ThreadRejected
│   │   ├── KeyRevoked, SettingFixed
│   │   ├── RequestTimeout 408
│   │   ├── UnsupportedEncoding 415
│   │   └── RequestTooLarge, ProjectTooLarge, FileTooLarge 413
│   ├── Unauthorized 401
│   │   └── MissingKey, InvalidKey
│   ├── Forbidden 403
│   │   ├── HostNotAllowed, OriginNotAllowed, AdminRequired
│   │   ├── ModelNotAllowed, AccountNotAllowed, ProjectNotAllowed, AgentsNotAllowed
│   │   └── FileQuotaExceeded
│   ├── NotFound 404
│   │   ├── KeyNotFound, TeamNotFound, AccountNotFound, SettingNotFound, RequestNotFound, ModelNotFound
│   │   ├── ProjectNotFound, ProjectFileNotFound, CheckpointNotFound, StoredFileNotFound
│   │   └── ResponseNotFound, BatchNotFound, ConversationNotFound, ThreadNotFound, SessionNotFound
│   ├── McpServerFailed 424
│   ├── MethodNotAllowed 405
│   ├── NotServed 501
│   └── BatchNotActive, AccountTaken, TurnStopped, ConversationLocked, SessionBusy 409
├── RateLimited 429
│   ├── AccountLimitReached
│   │   └── NoAccountLeft
│   └── TooManyTurns, LimitReached, QuotaExceeded
├── UpstreamError 502
├── Unavailable 503
│   ├── ClaudeUnavailable
│   ├── NotLoggedIn
│   │   └── BillingProblem
│   ├── Overloaded
│   ├── ShuttingDown
│   ├── MetricsUnavailable
│   └── StoreError
├── TurnTimeout 504
└── ClientGone 499 (never sent, because the client has left)

The dialects encode them; the default shape is https://platform.openai.com/docs/guides/error-codes.

>>> InvalidRequest("Invalid 'n': Expected an integer.", param="n").body()["error"]["code"]
'invalid_request'
"""

from typing import Any

from gateway.home import COMMAND


class GatewayError(Exception):
    """An unexpected failure of the gateway, and the base of all errors.

    `param` names the field of the request that caused the error. `retry_after` is in seconds. If `should_retry` is
    False, the header `x-should-retry` tells SDKs that another attempt cannot help.
    """

    status = 500
    type = "server_error"
    code = "internal_error"
    default_should_retry: bool | None = None
    default_message = "The gateway failed unexpectedly. Its log has the details under the id of this request."

    def __init_subclass__(
        cls, *, status: int | None = None, type: str | None = None, code: str | None = None
    ) -> None:
        """Set the status, type and code of a kind of errors. A value that is left out comes from its base."""
        super().__init_subclass__()
        cls.status = status or cls.status
        cls.type = type or cls.type
        cls.code = code or cls.code

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
        self.should_retry = self.default_should_retry if should_retry is None else should_retry

    def body(self) -> dict[str, Any]:
        """Return the error in OpenAI's shape: `{"error": {message, type, param, code}}`."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


class ClientError(GatewayError, type="invalid_request_error"):
    """The client has to change something, or has caused the error itself. OpenAI has one type for all of these."""


class InvalidRequest(ClientError, status=400, code="invalid_request"):
    """The request is malformed or not allowed in this form."""

    default_message = "The request is not valid."


class UnsupportedParameter(InvalidRequest, code="unsupported_parameter"):
    """A parameter would change the answer, but the gateway cannot honor it."""


class ContextLengthExceeded(InvalidRequest, code="context_length_exceeded"):
    """The prompt exceeds the model's context window. Clients look for this code."""


class ModelNotSupported(InvalidRequest, code="model_not_supported"):
    """The model does not exist, or every model that was tried was refused."""


class ThreadRejected(InvalidRequest, code="thread_unsupported_request"):
    """The request cannot create or continue a thread of the Messages API. SDKs look for the code."""


class SettingFixed(InvalidRequest, code="setting_fixed"):
    """The setting cannot be changed while the gateway runs."""


class RequestTimeout(InvalidRequest, status=408, code="request_timeout"):
    """The client stopped sending its request."""

    default_message = "The request body did not arrive in time. Send it again."


class UnsupportedEncoding(InvalidRequest, status=415, code="unsupported_encoding"):
    """The body is compressed in a way that the gateway cannot read."""


class RequestTooLarge(InvalidRequest, status=413, code="request_too_large"):
    """The body is larger than MAX_REQUEST_BYTES."""


class ProjectTooLarge(InvalidRequest, status=413, code="project_too_large"):
    """The files of the project exceed MAX_PROJECT_SIZE_MB, or would exceed it after this request."""


class FileTooLarge(InvalidRequest, status=413, code="file_too_large"):
    """The uploaded file is larger than MAX_FILE_SIZE_MB."""


class UnknownTeam(InvalidRequest, code="unknown_team"):
    """A key is to join a team that does not exist."""


class KeyRevoked(InvalidRequest, code="key_revoked"):
    """The key is revoked, and cannot be changed any more."""


class Unauthorized(ClientError, status=401, code="invalid_api_key"):
    """The client is unknown. Claude Code would try again for three minutes unless it is told not to."""

    default_should_retry = False


class MissingKey(Unauthorized, code="missing_api_key"):
    """The request has no API key."""

    default_message = "No API key. Send one as 'Authorization: Bearer KEY' or 'x-api-key: KEY'."


class InvalidKey(Unauthorized):
    """The API key is unknown, expired or revoked; the response does not say which."""

    default_message = "The API key is not valid."


class Forbidden(ClientError, status=403, code="forbidden"):
    """The key is valid, but does not allow this."""


class HostNotAllowed(Forbidden, code="host_not_allowed"):
    """The request's `Host` is not a name of this machine, so it may be a page's attempt at DNS rebinding."""


class OriginNotAllowed(Forbidden, code="origin_not_allowed"):
    """The request comes from a web page that may not use the gateway."""


class AdminRequired(Forbidden, code="admin_required"):
    """This needs an admin key."""

    default_message = f"This needs an admin key. Create one with: {COMMAND} keys create NAME --admin"


class ModelNotAllowed(Forbidden, code="model_not_allowed"):
    """The key does not allow this model."""


class AccountNotAllowed(Forbidden, code="account_not_allowed"):
    """The key does not allow this account, or there is no account that it may use."""


class ProjectNotAllowed(Forbidden, code="project_not_allowed"):
    """The key does not allow this with this project, or may not create projects."""


class AgentsNotAllowed(Forbidden, code="agents_not_allowed"):
    """The operator does not allow agents, which use Claude Code's own tools, or does not allow this tool."""


class FileQuotaExceeded(Forbidden, code="file_quota_exceeded"):
    """The files of this client would exceed MAX_FILES_SIZE_MB. Deleting some of them helps."""


class NotFound(ClientError, status=404, code="not_found"):
    """The resource does not exist."""


class KeyNotFound(NotFound, code="key_not_found"):
    """No API key has this id."""


class TeamNotFound(NotFound, code="team_not_found"):
    """No team has this id."""


class AccountNotFound(NotFound, code="account_not_found"):
    """The list of accounts has no account with this name."""


class SettingNotFound(NotFound, code="setting_not_found"):
    """No setting has this name."""


class RequestNotFound(NotFound, code="request_not_found"):
    """No request in the list has this id, or it is another key's or deleted."""


class ModelNotFound(NotFound, code="model_not_found"):
    """No model has this id."""


class ProjectNotFound(NotFound, code="project_not_found"):
    """No project of this client has this id."""


class ProjectFileNotFound(NotFound, code="file_not_found"):
    """The project has no such file."""


class CheckpointNotFound(NotFound, code="checkpoint_not_found"):
    """The project has no such checkpoint."""


class StoredFileNotFound(NotFound, code="file_not_found"):
    """No file of this client has this id, or it has expired."""


class ResponseNotFound(NotFound, code="response_not_found"):
    """No stored response of this client has this id."""


class BatchNotFound(NotFound, code="batch_not_found"):
    """No batch of this client has this id."""


class ConversationNotFound(NotFound, code="conversation_not_found"):
    """No conversation of this client has this id, or it has expired."""


class ThreadNotFound(NotFound, code="thread_not_found"):
    """No thread of this client has this message, or it has expired. SDKs send the whole conversation again."""


class SessionNotFound(NotFound, code="session_not_found"):
    """No session of this client has this id, or it has expired."""


class BatchNotActive(ClientError, status=409, code="batch_not_active"):
    """The batch is over, or not over yet, so this cannot be done with it."""


class TeamHasKeys(ClientError, status=409, code="team_has_keys"):
    """The team cannot be deleted, because active keys share its budgets."""


class AccountTaken(ClientError, status=409, code="account_taken"):
    """The account is not shared, and another key uses it."""


class McpServerFailed(ClientError, status=424, code="mcp_server_failed"):
    """A remote MCP server that the request asks for does not list its tools."""


class MethodNotAllowed(ClientError, status=405, code="method_not_allowed"):
    """The path does not support this HTTP method."""


class NotServed(ClientError, status=501, code="not_implemented"):
    """A part of OpenAI's API that Claude Code cannot serve. Another attempt never helps."""


class RateLimited(GatewayError, status=429, type="rate_limit_error", code="rate_limit_exceeded"):
    """A limit is reached."""


class AccountLimitReached(RateLimited, code="account_limit_reached"):
    """The account behind the gateway has reached a limit of Anthropic's API, so all clients have to wait."""


class NoAccountLeft(AccountLimitReached, code="no_account_left"):
    """All accounts that the request may use have reached limits of Anthropic's API. This is no limit of the key."""


class TooManyTurns(RateLimited, code="too_many_turns"):
    """MAX_CONCURRENT_SESSIONS answers are being written, and the queue is full or too slow."""

    default_message = "Too many answers are being written now. Try again shortly."


class LimitReached(RateLimited):
    """The client has reached a limit per minute, or its limit of concurrent answers."""


class QuotaExceeded(RateLimited, type="insufficient_quota", code="insufficient_quota"):
    """The client's budget for the day or month is used up, so trying again soon cannot help."""


class UpstreamError(GatewayError, status=502, code="upstream_error"):
    """The CLI or the API behind it failed during the answer."""


class Unavailable(GatewayError, status=503, code="unavailable"):
    """The gateway cannot answer now."""


class ClaudeUnavailable(Unavailable, code="claude_unavailable"):
    """The Claude Code CLI is missing, too old, or does not start."""


class NotLoggedIn(Unavailable, code="claude_not_logged_in"):
    """The CLI has no valid login."""


class BillingProblem(NotLoggedIn, code="billing_problem"):
    """Anthropic rejects requests of the account because of its balance or its payment."""


class Overloaded(Unavailable, code="overloaded"):
    """Anthropic's API is overloaded."""


class ShuttingDown(Unavailable, code="shutting_down"):
    """The gateway is shutting down and cannot finish this answer."""

    default_message = "The gateway is restarting and cut this answer off. Try again."


class MetricsUnavailable(Unavailable, code="metrics_unavailable"):
    """There is no space for the files of the metrics."""


class StoreError(Unavailable, code="store_unavailable"):
    """The database is locked, full, damaged or unreachable."""

    default_message = "The gateway's database is not available. Try again shortly."


class TurnTimeout(GatewayError, status=504, code="timeout"):
    """The CLI sent nothing for too long, or the whole answer took too long."""


class TurnStopped(ClientError, status=409, code="stopped"):
    """Another request of the same client stopped the answer."""

    default_message = "Another request stopped the answer."


class SessionBusy(ClientError, status=409, code="session_busy"):
    """Another answer of the same session is being written."""

    default_message = "Another answer of this session is being written. Wait until it ends, or stop it."


class ProjectBusy(ClientError, status=409, code="project_busy"):
    """An agent is working in the project."""

    default_message = "An agent is working in this project. Wait until its answer ends, or stop it."


class ConversationLocked(ClientError, status=409, code="conversation_locked"):
    """Another response is being written in the same conversation."""

    default_message = "Another request is changing this conversation. Try again when it is finished."


class ClientGone(GatewayError, status=499, type="client_closed_request", code="client_closed_request"):
    """The client closed its connection, so this error is never sent."""

    default_message = "The client closed the connection."
