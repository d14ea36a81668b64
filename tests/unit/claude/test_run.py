"""Runs: their answers, stops and limits, and the state of the fleet afterwards. The CLI is scripted."""

import os
import sys
import time

import gevent
import pytest

from gateway.claude.cli import hangs
from gateway.claude.fleet.fleet import Fleet
from gateway.claude.fleet.wait_queue import Ticket
from gateway.claude.merged_runs import MergedRuns
from gateway.claude.run import Run
from gateway.errors import (
    ClientGone,
    GatewayError,
    QuotaExceeded,
    TurnTimeout,
)
from gateway.turn import Done, Text
from tests.support.processes import run_until
from tests.support.scripted import ScriptedCli
from tests.unit.claude.fleets import answer, assert_idle, make_fleet, text_of, turn

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
    pytest.mark.usefixtures("no_processes_left"),
]


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
    assert fleet.accounts.windows("default")["five_hour"].utilization == 0.25


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
