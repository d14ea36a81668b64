"""The facts about a finished request, for the log and the metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gateway.errors import GatewayError
from gateway.record import Record


@dataclass(frozen=True, slots=True)
class RequestSummary:
    """A finished request.

    `route` is the rule that its path matched, or "unknown". `seconds` is the time until the last byte was sent. `error`
    is the error that the client got. `record` describes the answer, if it came that far. `content` has the request and
    the answer if they are logged (LOG_CONTENT).
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
