"""Records of answers that tests write as usage."""

from datetime import datetime, timezone
from typing import Any

from gateway.record import Record
from gateway.turn import Usage

#: Input, cache read, cache write, output and thinking tokens, and the cost in dollars.
USAGE = Usage(1, 20, 300, 4000, 50, 0.25)


def make_record(**fields: Any) -> Record:
    """Return the record of a complete answer that starts now; `fields` replace its values."""
    known = {
        "request_id": "r",
        "endpoint": "/v1/chat/completions",
        "started_at": datetime.now(timezone.utc),
        "model": "haiku",
        "outcome": "complete",
        "usage": USAGE,
    }
    return Record(**{**known, **fields})
