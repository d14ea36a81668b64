"""The record of an answer: what it used, and how it ended."""

from typing import Any

import pytest

from gateway.answering.metering import MeteredAnswer
from gateway.errors import ClientGone, GatewayError, ShuttingDown, TurnStopped, UpstreamError
from gateway.observe.transcript import Transcript
from gateway.record import Record
from gateway.turn import Batch, Done, Idle, Started, Text
from tests.unit.answering.fakes import USAGE, FakeRun, complete_run, meter, new_record

BEGIN: Batch = [Started("claude-full-name")]


def metered(run: FakeRun) -> tuple[MeteredAnswer, list[Record]]:
    seen: list[Record] = []
    return meter(run, seen.append), seen


def test_a_complete_answer_is_recorded_once() -> None:
    run = FakeRun(BEGIN, [Idle()], [Text("hi")], [Done("end_turn", USAGE)])
    answer, seen = metered(run)
    assert [batch for _, batch in answer] == list(run.batches)
    assert answer.used() == USAGE
    assert not seen
    for _ in range(2):
        answer.close()
    (record,) = seen
    assert (record.outcome, record.error, record.stop_reason) == ("complete", None, "end_turn")
    assert (record.model, record.usage, record.is_estimated) == ("claude-full-name", USAGE, True)
    assert record.first_seconds is not None
    assert record.first_seconds <= record.seconds


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (ClientGone(), "cut", "client_closed_request"),
        (TurnStopped(), "cut", "stopped"),
        (UpstreamError(), "failed", "upstream_error"),
        (KeyError(), "failed", "internal_error"),
    ],
)
def test_the_record_has_the_error_that_ended_the_answer(error: Exception, outcome: str, code: str) -> None:
    answer, seen = metered(FakeRun(BEGIN, [Text("so far")], error=error))
    with pytest.raises(type(error)):
        list(answer)
    answer.close()
    assert [(record.outcome, record.error) for record in seen] == [(outcome, code)]


def test_an_answer_closed_before_its_end_was_left_by_its_client() -> None:
    answer, seen = metered(FakeRun(BEGIN))
    next(iter(answer))
    answer.close()
    assert [(record.outcome, record.error) for record in seen] == [("cut", "client_closed_request")]
    assert seen[0].first_seconds is None


def test_an_answer_that_could_not_be_sent_has_failed() -> None:
    answer, seen = metered(complete_run())
    next(iter(answer))
    answer.fail(UpstreamError())
    answer.fail(GatewayError())  # the first error counts
    answer.close()
    assert [(record.outcome, record.error) for record in seen] == [("failed", "upstream_error")]


def test_an_abandoned_answer_is_recorded_without_closing_its_run() -> None:
    run = FakeRun(BEGIN)
    answer, seen = metered(run)
    next(iter(answer))
    answer.abandon(ShuttingDown())
    assert (run.closed, type(run.stopped)) == (0, ShuttingDown)
    answer.close()
    assert [(record.outcome, record.error) for record in seen] == [("failed", "shutting_down")]


def test_a_failing_report_does_not_harm_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Record) -> None:
        raise ValueError

    answer = meter(complete_run(), fail)
    list(answer)
    answer.close()
    assert "an answer could not be recorded" in caplog.text


def test_the_transcript_has_the_text() -> None:
    run: Any = complete_run("hello")
    answer = MeteredAnswer(run, new_record(), lambda _: None, Transcript())
    list(answer)
    assert answer.transcript is not None
    assert answer.transcript.texts() == ["hello"]
