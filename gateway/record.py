"""What is known of one answer when it is over: the same for usage, limits, logs and metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from gateway.turn import Usage

Outcome = Literal["complete", "cut", "failed"]

#: The properties of records that usage can be grouped by.
GroupBy = Literal["day", "key", "model", "project"]
GROUPS: tuple[GroupBy, ...] = get_args(GroupBy)


@dataclass(slots=True)
class Record:
    """One request for an answer. With `n` choices it is one record, its usage summed.

    `outcome` is "cut" when the client left or stopped it, "failed" when `error` (an error code) ended it. Times are
    seconds from `started_at`; `first_seconds` is None if nothing of the answer came. `is_estimated` says that the
    output tokens of an answer that broke off were counted by its length. `key_id` is None without authentication.
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
