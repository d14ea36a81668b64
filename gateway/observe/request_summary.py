"""What is known of a request when its answer is over: for the log and the metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gateway.errors import GatewayError
from gateway.record import Record


@dataclass(frozen=True, slots=True)
class RequestSummary:
    """A request. `route` is the rule that its path matched, "unknown" for none; `seconds` lasts to the last byte.

    `error` is what it was answered with, `record` what came of its answer if it got so far. `content` is what was sent
    and said, if that is to be logged.
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
