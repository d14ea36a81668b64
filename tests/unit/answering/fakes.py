"""Stand-ins for the CLI's runs, and callers."""

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

from gateway.answering.caller import Caller, Identity
from gateway.answering.metering import MeteredAnswer
from gateway.errors import GatewayError
from gateway.record import Record, RunTimes
from gateway.turn import Batch, Done, Started, Text, Usage

USAGE = Usage(input_tokens=1, cache_read_tokens=20, cache_write_tokens=300, output_tokens=4000, cost_usd=0.25)
MODEL = "claude-haiku-4-5-20251001"


class FakeRun:
    """Yields these batches, then raises `error`. A stop ends it before its next batch."""

    def __init__(self, *batches: Batch, error: Exception | None = None) -> None:
        self.times = RunTimes()
        self.batches, self.error = batches, error
        self.stopped: GatewayError | None = None
        self.closed = 0

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        for batch in self.batches:
            if self.stopped:
                raise self.stopped
            yield 0, batch
        if self.error:
            raise self.error

    def usage_so_far(self) -> tuple[Usage, bool]:
        return USAGE, True

    def fallback_usage(self) -> Usage:
        return USAGE if self.times.fallback_model else Usage()

    def stop(self, reason: GatewayError) -> None:
        self.stopped = reason

    def close(self) -> None:
        self.closed += 1


def complete_run(text: str = "hi") -> FakeRun:
    return FakeRun([Started(MODEL, session="cli-1")], [Text(text)], [Done("end_turn", USAGE)])


def new_record(**fields: Any) -> Record:
    known = {"request_id": "r", "endpoint": "/v1/chat/completions", "model": "asked", **fields}
    return Record(**{"started_at": datetime(2026, 5, 4, 12, tzinfo=timezone.utc), **known})


def meter(
    run: FakeRun, report: Callable[[Record], None] = lambda _: None, streamed: bool = True
) -> MeteredAnswer:
    record = new_record(streamed=streamed)
    return MeteredAnswer(run, record, lambda answer: report(answer.record))  # type: ignore[arg-type]


def caller(owner_id: str = "me", address: str = "203.0.113.7", **identity: Any) -> Caller:
    """A caller without a key, or with a key that has these rights."""
    key = Identity(owner_id, "alice", **identity) if identity else None
    return Caller(key, owner_id, address, "curl/8.5", "req_1")
