"""Runs: attempts, fallbacks, stops, and the state of the fleet afterwards. The CLI is scripted."""

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import gevent
import pytest

from gateway.claude.attempts import MAX_LOST_PROCESSES
from gateway.claude.cli import hangs
from gateway.claude.cli.answer_reader import AnswerReader
from gateway.claude.cli.conversation import Conversation
from gateway.claude.cli.process import Process
from gateway.claude.cli.protocol import CliMessage
from gateway.claude.fleet.fleet import Fleet
from gateway.claude.fleet.wait_queue import Ticket
from gateway.claude.merged_runs import MergedRuns
from gateway.claude.run import Run
from gateway.errors import (
    ClaudeUnavailable,
    ClientGone,
    GatewayError,
    InvalidRequest,
    ModelNotSupported,
    QuotaExceeded,
    TurnTimeout,
    UpstreamError,
)
from gateway.turn import Done, Message, Model, Text, Turn
from gateway.workspace import AgentWorkspace
from tests.support.processes import run_until
from tests.support.scripted import ScriptedCli
from tests.unit.claude.fleets import MODEL, make_fleet, turn

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
    pytest.mark.usefixtures("no_processes_left"),
]


@pytest.fixture
def fleet(cli: ScriptedCli) -> Iterator[Fleet]:
    """Return a fleet of scripted CLIs with one warm process."""
    fleet = make_fleet(cli)
    yield fleet
    fleet.close()


def answer(fleet: Fleet, asked: Turn) -> str:
    """Run a turn to its end and return the text of the answer."""
    run = Run(fleet, asked)
    try:
        return text_of(run)
    finally:
        run.close()


def text_of(run: Run) -> str:
    return "".join(event.text for batch in run for event in batch if isinstance(event, Text))


def assert_idle(fleet: Fleet) -> None:
    """Check that all slots are free and the queue is empty."""
    assert (fleet.status()["running"], fleet.status()["queued"]) == (0, 0)


class Refusals:
    """Makes the answers to the next questions fail, and records the models and the sampling that were asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, errors: Sequence[Exception]) -> None:
        self.models: list[str] = []
        self.sampling: list[tuple[str, ...]] = []
        self._errors = list(errors)
        expect_answer, read = Conversation.expect_answer, AnswerReader.read

        def record(conversation: Conversation, model: Model) -> AnswerReader:
            self.models.append(model.id)
            assert conversation.tuning
            self.sampling.append(conversation.tuning.sampling)
            return expect_answer(conversation, model)

        def fail(reader: AnswerReader, messages: Sequence[CliMessage]) -> Any:
            if self._errors:
                raise self._errors.pop(0)
            return read(reader, messages)

        monkeypatch.setattr(Conversation, "expect_answer", record)
        monkeypatch.setattr(AnswerReader, "read", fail)


def test_answer_ends_with_done_and_frees_the_slot(fleet: Fleet) -> None:
    closed: list[Run] = []
    run = Run(fleet, turn("hello"), closed.append)
    batches = list(run)
    assert isinstance(batches[-1][-1], Done)
    usage, is_estimate = run.usage_so_far()
    assert (usage.output_tokens, is_estimate) == (2, False)
    assert_idle(fleet)
    run.close()
    assert closed == [run]


def test_next_turn_continues_on_the_parked_process(fleet: Fleet) -> None:
    assert answer(fleet, turn("one")) == "You said: one"
    assert fleet.status()["kept"] == 1
    assert answer(fleet, turn("one", "You said: one", "two")) == "You said: two"
    assert (fleet.status()["kept_hits"], fleet.status()["kept"]) == (1, 1)


def test_lost_parked_process_is_replaced_by_a_seeded_one(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answer(fleet, turn("one"))
    seeded: list[Sequence[Message]] = []
    ask, seed = Conversation.ask, Conversation.seed

    def ask_the_dead(conversation: Conversation, message: Message, state: bytes) -> None:
        if not seeded[-1]:
            os.kill(conversation.process.pid, signal.SIGKILL)
        ask(conversation, message, state)

    def record_seed(conversation: Conversation, history: Sequence[Message]) -> None:
        seeded.append(history)
        seed(conversation, history)

    monkeypatch.setattr(Conversation, "seed", record_seed)
    monkeypatch.setattr(Conversation, "ask", ask_the_dead)
    assert answer(fleet, turn("one", "You said: one", "two")) == "You said: two"
    assert [len(history) for history in seeded] == [0, 2]
    assert "parked conversation was lost" in caplog.text
    assert_idle(fleet)


@pytest.mark.parametrize("dead", range(1, MAX_LOST_PROCESSES + 1))
def test_dead_warm_processes_are_replaced_up_to_a_limit(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, dead: int
) -> None:
    taken: list[Process] = []
    take = fleet.take_warm

    def take_dead(ticket: Ticket[Process]) -> Process:
        process = take(ticket)
        taken.append(process)
        if len(taken) <= dead:
            os.kill(process.pid, signal.SIGKILL)
            run_until(lambda: not process.is_alive)
        return process

    monkeypatch.setattr(fleet, "take_warm", take_dead)
    if dead < MAX_LOST_PROCESSES:
        assert answer(fleet, turn("hello")) == "You said: hello"
    else:
        with pytest.raises(ClaudeUnavailable, match="before the model began"):
            answer(fleet, turn("hello"))
    assert len(taken) == min(dead + 1, MAX_LOST_PROCESSES)
    assert_idle(fleet)


def test_turn_is_tried_again_if_its_process_is_killed_before_the_model_begins(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ask = Conversation.ask
    killed: list[Process] = []

    def kill_and_ask(conversation: Conversation, message: Message, state: bytes) -> None:
        if not killed:
            killed.append(conversation.process)
            os.kill(conversation.process.pid, signal.SIGKILL)
        ask(conversation, message, state)

    monkeypatch.setattr(Conversation, "ask", kill_and_ask)
    assert answer(fleet, turn("hello")) == "You said: hello"
    assert "killed, probably out of memory" in caplog.text
    assert_idle(fleet)


def test_error_says_that_every_process_was_killed(fleet: Fleet) -> None:
    before = fleet.status()["starts"]
    with pytest.raises(ClaudeUnavailable, match="killed, probably out of memory, before the model") as caught:
        answer(fleet, turn("CRASHFIRST"))
    assert caught.value.retry_after
    assert fleet.status()["kept"] == 0
    assert fleet.status()["starts"] - before <= MAX_LOST_PROCESSES
    assert_idle(fleet)


def test_process_that_leaves_after_the_question_is_not_replaced(fleet: Fleet) -> None:
    with pytest.raises(ClaudeUnavailable, match="ended before the model"):
        answer(fleet, turn("EXIT"))
    assert fleet.status()["warm_hits"] == 1
    assert_idle(fleet)


def test_process_killed_in_the_answer_is_an_error(fleet: Fleet) -> None:
    with pytest.raises(UpstreamError, match="killed, probably out of memory, in the middle"):
        answer(fleet, turn("CRASHLATER"))
    assert_idle(fleet)


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at silent processes soon."""
    monkeypatch.setattr(hangs, "HANG_SECONDS", 0.1)
    monkeypatch.setattr(hangs, "PULSE_SECONDS", 0.1)


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize("text", ["hello", "x" * 200_000], ids=["short", "longer than a pipe"])
def test_warm_process_that_is_stopped_is_replaced(fleet: Fleet, text: str) -> None:
    (stopped,) = fleet._pool._ready
    os.kill(stopped.pid, signal.SIGSTOP)
    assert answer(fleet, turn(text)) == f"You said: {text}"
    assert stopped.has_ended


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize("text", ["two", "x" * 200_000], ids=["short", "longer than a pipe"])
def test_kept_process_that_is_stopped_is_replaced(
    fleet: Fleet, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer(fleet, turn("one"))
    (kept,) = fleet._parked._conversations
    os.kill(kept.process.pid, signal.SIGSTOP)
    assert answer(fleet, turn("one", "You said: one", text)) == f"You said: {text}"
    assert kept.process.has_ended
    assert "the CLI hung and was killed" in caplog.text


@pytest.mark.usefixtures("_soon")
def test_process_that_does_nothing_with_the_question_counts_as_hung(fleet: Fleet) -> None:
    with pytest.raises(ClaudeUnavailable, match="hung before the model"):
        answer(fleet, turn("HANGFIRST"))


def test_refused_model_is_replaced_by_its_fallbacks(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = Refusals(monkeypatch, [ModelNotSupported("no"), ModelNotSupported("no")])
    model = Model("claude-a", fallbacks=("claude-b", "claude-c", "claude-d"))
    assert answer(fleet, turn("hello", model=model)) == "You said: hello"
    assert refusals.models == ["claude-a", "claude-b", "claude-c"]


def test_error_names_all_models_if_every_one_is_refused(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    Refusals(monkeypatch, [ModelNotSupported("no"), ModelNotSupported("no")])
    with pytest.raises(ModelNotSupported, match="refused: claude-a, claude-b") as caught:
        answer(fleet, turn("hello", model=Model("claude-a", fallbacks=("claude-b",))))
    assert caught.value.param == "model"
    assert_idle(fleet)


def test_rejected_sampling_parameters_are_left_out_once_and_remembered(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = turn("hello", model=fleet.catalog.resolve("claude-3-5-haiku-20241022"))
    asked_with_sampling = Turn(
        asked.messages, model=asked.model, sampling=type(asked.sampling)(temperature=0.5)
    )
    rejection = InvalidRequest("`temperature` is deprecated for this model.")
    refusals = Refusals(monkeypatch, [rejection])
    assert answer(fleet, asked_with_sampling) == "You said: hello"
    assert refusals.sampling == [("temperature",), ()]
    assert fleet.catalog.resolve("claude-3-5-haiku-20241022").sampling == "none"

    refusals = Refusals(monkeypatch, [rejection, rejection])
    with pytest.raises(InvalidRequest, match="deprecated"):
        answer(fleet, asked_with_sampling)
    assert len(refusals.models) == 2


def test_invalid_request_without_sampling_is_not_retried(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = Refusals(monkeypatch, [InvalidRequest("`temperature` is deprecated for this model.")])
    with pytest.raises(InvalidRequest):
        answer(fleet, turn("hello"))
    assert refusals.models == [MODEL.id]


def test_failure_after_the_start_of_the_answer_is_not_retried(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = AnswerReader.read

    def fail_once_started(reader: AnswerReader, messages: Sequence[CliMessage]) -> Any:
        if reader.started:
            raise ModelNotSupported("too late")
        return read(reader, messages)

    monkeypatch.setattr(AnswerReader, "read", fail_once_started)
    run = Run(fleet, turn("SLOW", model=Model("claude-a", fallbacks=("claude-b",))))
    with pytest.raises(ModelNotSupported, match="too late"):
        list(run)
    run.close()


def test_agent_that_does_not_start_is_not_retried(
    fleet: Fleet, cli: ScriptedCli, caplog: pytest.LogCaptureFixture
) -> None:
    workspace = AgentWorkspace(str(cli.home / "missing"), ("Read",))
    with caplog.at_level(logging.ERROR), pytest.raises(ClaudeUnavailable, match="project's folder"):
        answer(fleet, turn("hello", agent_workspace=workspace))
    assert caplog.text.count("did not start in a project") == 1
    assert_idle(fleet)


@pytest.mark.parametrize("word", ["HANGFIRST", "HANGLATER"])
def test_stop_from_another_greenlet_ends_the_process_at_once(fleet: Fleet, word: str) -> None:
    run = Run(fleet, turn(word))
    reader = gevent.spawn(text_of, run)
    run_until(lambda: fleet.status()["running"] == 1 and fleet.status()["warm"] == 0)
    gevent.sleep(0.1)
    run.stop(ClientGone())
    run.stop(TurnTimeout())  # only the first reason counts
    assert_idle(fleet)
    reader.join(10)
    assert isinstance(reader.exception, ClientGone)
    run.close()


def test_stop_in_the_queue_gives_up_the_place(cli: ScriptedCli) -> None:
    fleet = make_fleet(cli, max_concurrent_sessions=1, queue_timeout_seconds=10.0)
    fleet.acquire_slot(Ticket[bool]())
    run = Run(fleet, turn("hello"))
    reader = gevent.spawn(text_of, run)
    run_until(lambda: fleet.status()["queued"] == 1)
    run.stop(ClientGone())
    reader.join(10)
    assert isinstance(reader.exception, ClientGone)
    assert (fleet.status()["queued"], fleet.status()["running"]) == (0, 1)
    run.close()
    fleet.close()


def test_refusal_after_the_wait_in_the_queue_ends_the_run_before_the_cli_is_asked(cli: ScriptedCli) -> None:
    def refuse() -> None:
        raise QuotaExceeded("used up")

    fleet = make_fleet(cli, max_concurrent_sessions=1, queue_timeout_seconds=10.0)
    fleet.acquire_slot(Ticket[bool]())
    run = Run(fleet, turn("hello"), before_start=refuse)
    reader = gevent.spawn(text_of, run)
    run_until(lambda: fleet.status()["queued"] == 1)
    fleet.release_slot()
    reader.join(10)
    assert isinstance(reader.exception, QuotaExceeded)
    assert fleet.status()["running"] == 0
    run.close()
    fleet.close()


def test_run_that_was_stopped_before_it_began_takes_no_slot(fleet: Fleet) -> None:
    run = Run(fleet, turn("hello"))
    run.stop(ClientGone())
    with pytest.raises(ClientGone):
        next(iter(run))
    run.close()
    assert fleet.status()["warm_hits"] == 0


def test_turn_that_takes_too_long_times_out(cli: ScriptedCli) -> None:
    fleet = make_fleet(cli, turn_timeout_seconds=0.5)
    with pytest.raises(TurnTimeout, match=r"longer than 0\.5 seconds"):
        answer(fleet, turn("HANGLATER"))
    assert_idle(fleet)
    fleet.close()


def test_silent_cli_times_out(cli: ScriptedCli) -> None:
    fleet = make_fleet(cli, streaming_timeout_seconds=0.3)
    with pytest.raises(TurnTimeout, match=r"silent for 0\.3 seconds"):
        answer(fleet, turn("HANGLATER"))
    fleet.close()


@pytest.mark.parametrize("limit", [0.3, 0.7])
def test_silence_is_noticed_on_time(cli: ScriptedCli, monkeypatch: pytest.MonkeyPatch, limit: float) -> None:
    """Keep-alives in between do not delay the end."""
    monkeypatch.setattr(hangs, "IDLE_SECONDS", 0.5)
    fleet = make_fleet(cli, streaming_timeout_seconds=limit)
    began = time.monotonic()
    with pytest.raises(TurnTimeout):
        answer(fleet, turn("HANGLATER"))
    assert limit <= time.monotonic() - began < limit + 0.25
    fleet.close()


def test_closing_an_unfinished_run_ends_its_process(fleet: Fleet) -> None:
    run = Run(fleet, turn("SLOW"))
    next(iter(run))
    run.close()
    assert_idle(fleet)
    assert fleet.status()["kept"] == 0


def test_conversation_is_parked_before_the_end_of_the_answer_is_yielded(fleet: Fleet) -> None:
    run = Run(fleet, turn("hello"))
    for batch in run:
        if isinstance(batch[-1], Done):
            assert fleet.status()["kept"] == 1
    run.close()


def test_rate_limits_are_recorded(fleet: Fleet) -> None:
    answer(fleet, turn("LIMITS"))
    assert fleet.rate_limit_windows["five_hour"].utilization == 0.25


def test_merged_runs_yield_all_answers_with_their_index(cli: ScriptedCli) -> None:
    fleet = make_fleet(cli, warm_processes=2)
    merged = MergedRuns([Run(fleet, turn(text)) for text in ("one", "two")])
    texts = ["", ""]
    for index, batch in merged:
        texts[index] += "".join(event.text for event in batch if isinstance(event, Text))
    assert texts == ["You said: one", "You said: two"]
    assert merged.usage_so_far()[0].output_tokens == 4
    merged.close()
    assert_idle(fleet)
    fleet.close()


def test_failure_of_one_run_ends_all_merged_runs(cli: ScriptedCli) -> None:
    fleet = make_fleet(cli, warm_processes=2)
    merged = MergedRuns([Run(fleet, turn(text)) for text in ("HANGLATER", "CRASHLATER")])
    with pytest.raises(GatewayError):
        list(merged)
    merged.close()
    assert_idle(fleet)
    fleet.close()


def test_process_of_a_conversation_that_will_not_go_on_is_not_kept(fleet: Fleet) -> None:
    for _ in range(12):
        answer(fleet, turn("the same question", owner="a"))
    assert fleet.status()["kept"] < 12
    run = Run(fleet, turn("the same question", owner="a"))
    kept = fleet.status()["kept"]
    text_of(run)
    run.close()
    assert fleet.status()["kept"] == kept
    answer(fleet, turn("another", owner="b"))
    assert fleet.status()["kept"] == kept + 1


def test_kept_process_does_not_hold_the_messages_of_its_turns(fleet: Fleet) -> None:
    text = "x" * 100_000
    asked = turn(text)
    before = sys.getrefcount(text)
    run = Run(fleet, asked)
    list(run)
    run.close()
    assert fleet.status()["kept"] == 1
    assert sys.getrefcount(text) == before


def test_turn_of_a_batch_takes_and_parks_no_process(fleet: Fleet) -> None:
    answer(fleet, turn("hello"))
    before = fleet.status()
    answer(fleet, turn("hello", "You said: hello", "again", is_batch=True))
    after = fleet.status()
    assert before["kept"] == after["kept"] == 1
    assert (before["kept_hits"], before["warm_hits"]) == (after["kept_hits"], after["warm_hits"])
    assert_idle(fleet)


def test_process_of_a_batch_has_the_lowest_priority(fleet: Fleet) -> None:
    run = Run(fleet, turn("SLOW", is_batch=True))
    next(iter(run))
    assert run._conversation is not None
    assert os.getpriority(os.PRIO_PROCESS, run._conversation.process.pid) == 19
    run.close()
