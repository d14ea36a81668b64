"""The outcome of one answer, for usage, limits, logs and metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from gateway.turn import Usage

Outcome = Literal["complete", "cut", "failed"]

#: The properties by which usage can be summed up.
GroupBy = Literal["day", "key", "model", "project"]
GROUPS: tuple[GroupBy, ...] = get_args(GroupBy)


@dataclass(slots=True)
class Record:
    """One request for an answer, complete when the answer is over. With `n` choices, `usage` is their sum.

    `outcome` is "cut" if the client left or stopped the answer, and "failed" if `error` (an error code) ended it.
    `first_seconds` and `seconds` count from `started_at` to the first content and to the end; `first_seconds` is None
    if there was no content. `is_estimated` is True if the answer broke off, so that its output tokens were estimated
    from its length. `key_id` is None if the gateway asks for no keys.
    """

    request_id: str
    endpoint: str
    started_at: datetime
    model: str = ""
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
    is_estimated: bool = False
