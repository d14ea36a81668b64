"""The outcome of one answer and the facts about one request, for usage, limits, logs and metrics."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from gateway.errors import GatewayError
from gateway.turn import Usage

Outcome = Literal["complete", "cut", "failed"]

#: The properties by which usage can be summed up.
GroupBy = Literal["day", "key", "model", "project", "account"]
GROUPS: tuple[GroupBy, ...] = get_args(GroupBy)


#: The kinds of processes that a run can get: kept from the conversation's last turn, prepared for its set-up, generic
#: and ready, or started for it.
ProcessKind = Literal["kept", "prepared", "warm", "started"]


@dataclass(slots=True)
class RunTimes:
    """The moments in which a run got its slot and its process, and had asked; monotonic seconds, 0.0 until then.

    With several attempts, the last one sets the process, the question and the account, which is None for a gateway
    without a list of accounts. `fallback_model` is the id of the model that the key's
    fallback asked; None if it was not needed.
    """

    slot_at: float = 0.0
    process_at: float = 0.0
    asked_at: float = 0.0
    process: ProcessKind | None = None
    attempts: int = 0
    account: str | None = None
    fallback_model: str | None = None


@dataclass(slots=True)
class Record:
    """One request for an answer, complete when the answer is over. With `n` choices, `usage` is their sum.

    `outcome` is "cut" if the client left or stopped the answer, and "failed" if `error` (an error code) ended it.
    `first_seconds` and `seconds` count from `started_at` to the first content and to the end; `first_seconds` is None
    if there was no content. `is_estimated` is True if the answer broke off, so that its output tokens were estimated
    from its length. `key_id` is None if the gateway asks for no keys. `reason` is the message of the error. `began_at`
    is `started_at` in monotonic seconds, and `times` the moments of the first run. `is_over` is set at the end.
    `account` is None if no account was asked. `fallback_model` is as in RunTimes, and `fallback_usage` the part
    of `usage` that the key's fallback has used.
    """

    request_id: str
    endpoint: str
    started_at: datetime
    model: str = ""
    account: str | None = None
    fallback_model: str | None = None
    key_id: str | None = None
    key_name: str | None = None
    project_id: str | None = None
    session_id: str | None = None
    client: str = ""
    address: str = ""
    streamed: bool = False
    outcome: Outcome = "failed"
    error: str | None = None
    stop_reason: str | None = None
    first_seconds: float | None = None
    seconds: float = 0.0
    usage: Usage = field(default_factory=Usage)
    fallback_usage: Usage = field(default_factory=Usage)
    is_estimated: bool = False
    reason: str | None = None
    repaired: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    began_at: float = 0.0
    times: RunTimes = field(default_factory=RunTimes)
    is_over: bool = False


@dataclass(slots=True)
class RequestTrace:
    """The trace of a request for OpenTelemetry. `span` is the SDK's, and the ids are in the form of `traceparent`.

    `offset` is Unix time minus monotonic time. The moments are monotonic seconds, 0.0 until then.
    """

    span: Any
    trace_id: str
    span_id: str
    offset: float
    authenticated_at: float = 0.0
    admitted_at: float = 0.0

    def to_ns(self, moment: float) -> int:
        """Return a monotonic moment as Unix time in nanoseconds."""
        return int((moment + self.offset) * 1e9)


@dataclass(frozen=True, slots=True)
class RequestSummary:
    """A finished request.

    `route` is the rule that its path matched, or "unknown". `seconds` is the time until the last byte was sent. `error`
    is the error that the client got. `record` describes the answer, if it came that far. `content` has the request and
    the answer if they are logged (LOG_CONTENT), and `kept` if they are kept in the list of requests. `began_at` is in
    monotonic seconds. `trace` is None unless OpenTelemetry is on.
    """

    request_id: str
    method: str
    path: str
    route: str
    status: int
    seconds: float
    address: str
    key_name: str | None
    error: GatewayError | None
    record: Record | None
    content: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    began_at: float = 0.0
    key_id: str | None = None
    owner_id: str = ""
    client: str = ""
    trace: RequestTrace | None = None
