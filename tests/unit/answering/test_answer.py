"""What makes the record of an answer: what it used, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.answering.answer import Metered
from gateway.errors import ClientGone, GatewayError, ShuttingDown, TurnStopped, UpstreamError
from gateway.record import Record
from gateway.turn import Done, Idle, Started, Text
from gateway.turn import Usage as Tokens
from tests.support.usage_records import USAGE, make_record


class FakeFan:
    """A run of these batches, then the error."""

    def __init__(self, *batches: Any, error: Exception | None = None) -> None:
        self.batches, self.error = batches, error
        self.stopped: GatewayError | None = None

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        yield from ((0, batch) for batch in self.batches)
        if self.error:
            raise self.error

    def usage_so_far(self) -> tuple[Tokens, bool]:
        return USAGE, True

    def stop(self, reason: GatewayError) -> None:
        self.stopped = reason

    def close(self) -> None: ...


def metered(fan: Any, *observers: Any) -> tuple[Metered, list[Record], set[Metered]]:
    seen: list[Record] = []
    live: set[Metered] = set()
    record = make_record(model="asked", outcome="failed", usage=Tokens())
    return Metered(fan, record, [*observers, seen.append], live), seen, live


BEGIN = [Started("claude-full-name")]


def test_a_complete_answer() -> None:
    run, seen, live = metered(FakeFan(BEGIN, [Idle()], [Text("hi")], [Done("end_turn", USAGE)]))
    heard: list[Any] = []
    run.listeners.append(lambda index, batch: heard.append((index, batch)))
    assert list(run) == heard
    assert live == {run}
    assert run.used() == USAGE
    for _ in range(2):
        run.close()
    (record,) = seen
    assert (record.outcome, record.error, record.stop_reason) == ("complete", None, "end_turn")
    assert (record.model, record.usage, record.is_estimated) == ("claude-full-name", USAGE, True)
    assert record.first_seconds is not None
    assert record.first_seconds <= record.seconds
    assert not live


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (ClientGone(), "cut", "client_closed_request"),
        (TurnStopped(), "cut", "stopped"),
        (UpstreamError(), "failed", "upstream_error"),
        (KeyError(), "failed", "internal_error"),
    ],
)
def test_an_answer_that_breaks_off(error: Exception, outcome: str, code: str) -> None:
    run, seen, _ = metered(FakeFan(BEGIN, [Text("so far")], error=error))
    with pytest.raises(type(error)):
        list(run)
    run.close()
    assert [(record.outcome, record.error) for record in seen] == [(outcome, code)]


def test_an_answer_that_nobody_reads_on() -> None:
    run, seen, _ = metered(FakeFan(BEGIN))
    next(iter(run))
    run.close()
    assert [(record.outcome, record.error) for record in seen] == [("cut", "client_closed_request")]
    assert seen[0].first_seconds is None


def test_an_answer_at_the_end_of_the_worker() -> None:
    run, seen, _ = metered(FakeFan(BEGIN))
    next(iter(run))
    run.give_up(ShuttingDown())
    run.close()
    assert [(record.outcome, record.error) for record in seen] == [("failed", "shutting_down")]


def test_one_observer_that_fails_does_not_harm_the_others(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Record) -> None:
        raise ValueError

    run, seen, _ = metered(FakeFan(BEGIN), fail)
    run.close()
    assert len(seen) == 1
    assert "an answer could not be recorded" in caplog.text
