"""The attempts of a run: lost and hung processes, fallbacks and rejected parameters. The CLI is scripted."""

import logging
import os
import signal
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.claude.attempts import MAX_LOST_PROCESSES
from gateway.claude.cli import hangs
from gateway.claude.cli.answer_reader import AnswerReader
from gateway.claude.cli.conversation import Conversation
from gateway.claude.cli.process import Process
from gateway.claude.cli.protocol import CliMessage
from gateway.claude.fleet.fleet import Fleet
from gateway.claude.fleet.wait_queue import Ticket
from gateway.claude.run import Run
from gateway.errors import (
    ClaudeUnavailable,
    InvalidRequest,
    ModelNotSupported,
    UpstreamError,
)
from gateway.turn import Message, Model, Turn
from gateway.workspace import AgentWorkspace
from tests.support.processes import run_until
from tests.support.scripted import ScriptedCli
from tests.unit.claude.fleets import MODEL, answer, assert_idle, turn

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
    pytest.mark.usefixtures("no_processes_left"),
]


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

    def take_dead(ticket: Ticket[Process], digests: Sequence[bytes], account: str) -> Process:
        process = take(ticket, digests, account)
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
    (stopped,) = fleet._seats["default"].pool._ready
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
