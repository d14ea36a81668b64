"""The fleet: slots, warm, parked and prepared processes within one budget."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gevent
import pytest

from gateway.claude.cli.conversation import Conversation
from gateway.claude.cli.process import Process, count_living
from gateway.claude.cli.tuning import tune
from gateway.claude.fleet import memory_guard, preparation
from gateway.claude.fleet.digests import digest_turn
from gateway.claude.fleet.fleet import Fleet
from gateway.claude.fleet.habits import ENOUGH, shapes_of
from gateway.claude.fleet.memory_guard import HEADROOM_BYTES
from gateway.claude.fleet.wait_queue import Ticket
from gateway.errors import ClaudeUnavailable, NotLoggedIn, RateLimited, ShuttingDown, TooManyTurns
from gateway.memory import MemoryGauge
from gateway.workspace import AgentWorkspace
from tests.support.processes import run_until
from tests.support.scripted import ScriptedCli
from tests.unit.claude.fleets import MODEL, answer, make_fleet, turn

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
    pytest.mark.usefixtures("no_processes_left"),
]

Start = Callable[..., Fleet]


@pytest.fixture
def start_fleet(cli: ScriptedCli) -> Iterator[Start]:
    """Return a function that opens a fleet of scripted CLIs, which is closed after the test."""
    fleets: list[Fleet] = []

    def start(**options: Any) -> Fleet:
        fleets.append(make_fleet(cli, **options))
        return fleets[-1]

    yield start
    for fleet in fleets:
        fleet.close()


def converse(fleet: Fleet, text: str = "hello") -> Conversation:
    """Return a conversation on a warm process that has been set up."""
    asked = turn(text)
    conversation = Conversation(fleet.take_warm(Ticket[Process]()), asked, fleet.settings.tool_wait_seconds)
    conversation.set_up(tune(asked, MODEL, is_seeded=True))
    return conversation


def test_open_fleet_knows_its_login_and_has_warm_processes(start_fleet: Start) -> None:
    fleet = start_fleet(warm_processes=2)
    assert fleet.problem is None
    status = fleet.status()
    assert (status["warm"], status["logged_in"], status["running"]) == (2, True, 0)


def test_missing_cli_is_a_problem_with_advice(cli: ScriptedCli) -> None:
    cli.path.unlink()
    with pytest.raises(ClaudeUnavailable, match="CLAUDE_BINARY_PATH"):
        make_fleet(cli)


def test_refused_turns_get_the_reason(start_fleet: Start) -> None:
    fleet = start_fleet()
    fleet.refuse_turns(ShuttingDown())
    with pytest.raises(ShuttingDown):
        fleet.await_ready()


def test_slots_are_limited_by_the_number_of_processes(start_fleet: Start) -> None:
    fleet = start_fleet(max_concurrent_sessions=5, max_processes=1, max_queued_requests=0)
    fleet.acquire_slot(Ticket[bool]())
    with pytest.raises(TooManyTurns):
        fleet.acquire_slot(Ticket[bool]())
    fleet.release_slot()
    fleet.acquire_slot(Ticket[bool]())


def test_parked_conversation_is_found_by_its_digest(start_fleet: Start) -> None:
    fleet = start_fleet()
    conversation = converse(fleet)
    fleet.park(b"after one", conversation)
    assert fleet.take_parked([b"other"], lambda *_: True) is None
    assert fleet.take_parked([b"set-up", b"after one"], lambda *_: False) is None
    assert fleet.take_parked([b"set-up", b"after one"], lambda *_: True) == (conversation, 1)
    assert fleet.take_parked([b"set-up", b"after one"], lambda *_: True) is None
    fleet.end_conversation(conversation)


@pytest.mark.parametrize("limits", [{"keep_seconds": 0.0}, {"keep_seconds": 0.05}])
def test_parked_process_ends_after_the_time_limit(start_fleet: Start, limits: dict[str, float]) -> None:
    fleet = start_fleet(**limits)
    conversation = converse(fleet)
    fleet.park(b"digest", conversation)
    run_until(lambda: conversation.process.has_ended)
    assert fleet.take_parked([b"digest"], lambda *_: True) is None


def test_kept_process_that_died_leaves_the_budget_within_a_second(
    start_fleet: Start, caplog: pytest.LogCaptureFixture
) -> None:
    fleet = start_fleet()
    conversation = converse(fleet)
    fleet.park(b"digest", conversation)
    run_until(lambda: fleet.status()["processes"] == 2)
    os.kill(conversation.process.pid, signal.SIGKILL)
    run_until(lambda: fleet.status()["kept"] == 0, timeout=1.0)
    run_until(lambda: fleet.status()["processes"] == 1)
    assert "parked conversation was lost: killed, probably out of memory" in caplog.text


def test_retired_fleet_keeps_no_process_waiting_but_still_serves(start_fleet: Start) -> None:
    fleet = start_fleet()
    fleet.park(b"digest", converse(fleet))
    fleet.retire()
    run_until(lambda: count_living() == 0)
    conversation = converse(fleet)
    fleet.park(b"digest", conversation)
    run_until(lambda: conversation.process.has_ended)


def test_conversation_that_waits_for_tools_is_kept_against_its_habit(
    start_fleet: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls of tools are answered, even if conversations of this shape never go on after their answers."""
    fleet = start_fleet(warm_processes=1)
    shapes = shapes_of(turn("hello"), b"setup")
    for number in range(ENOUGH):
        fleet._habits.note_end(shapes, str(number).encode())
    conversation = converse(fleet)
    monkeypatch.setattr(conversation, "_waiting_calls", ("call_1",))
    fleet.park(b"digest", conversation, shapes)
    assert fleet.status()["waiting_for_tools"] == 1


def test_least_recently_parked_conversation_makes_room(start_fleet: Start) -> None:
    fleet = start_fleet(max_processes=2, warm_processes=0)
    conversations = []
    for digest in (b"1", b"2", b"3"):
        fleet.acquire_slot(Ticket[bool]())
        conversations.append(converse(fleet))
        fleet.park(digest, conversations[-1])
        fleet.release_slot()
    assert fleet.status()["kept"] == 2
    assert [conversation.process.is_alive for conversation in conversations] == [False, True, True]


def test_smaller_budget_ends_idle_processes_but_no_conversation_that_waits_for_tools(
    start_fleet: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = start_fleet(warm_processes=2)
    waiting, idle = converse(fleet), converse(fleet)
    monkeypatch.setattr(waiting, "_waiting_calls", ("call_1",))
    fleet.park(b"waiting", waiting)
    fleet.park(b"idle", idle)
    fleet.apply(replace(fleet.settings, keep_seconds=0.0))
    run_until(lambda: fleet.status()["kept"] == 1)
    assert (waiting.process.is_alive, fleet.status()["waiting_for_tools"]) == (True, 1)
    fleet.apply(replace(fleet.settings, max_processes=1, warm_processes=0))
    run_until(lambda: fleet.status()["processes"] <= 1)
    assert fleet.status()["max_processes"] == 1


def test_retired_fleet_stays_without_processes_when_settings_change(start_fleet: Start) -> None:
    fleet = start_fleet()
    fleet.retire()
    run_until(lambda: count_living() == 0)
    fleet.apply(replace(fleet.settings, warm_processes=3))
    gevent.sleep(0.05)
    assert (fleet.status()["starting"], count_living()) == (0, 0)


def test_prepared_process_makes_room_before_conversations(start_fleet: Start) -> None:
    fleet = start_fleet(max_processes=3, warm_processes=0)
    conversation, prepared = converse(fleet), converse(fleet)
    conversation.ask(turn("hello").messages[0])
    fleet.park(b"conversation", conversation)
    fleet.park(b"set-up", prepared)
    assert fleet._parked.evict()
    assert (conversation.process.is_alive, prepared.process.is_alive) == (True, False)


def test_memory_that_gets_short_costs_parked_conversations_and_starts(
    start_fleet: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_guard, "MIN_PAUSE_SECONDS", 0.05)
    left = [10 * HEADROOM_BYTES]
    monkeypatch.setattr(MemoryGauge, "available", lambda gauge: left[0])
    fleet = start_fleet()
    first, second = converse(fleet), converse(fleet)
    fleet.park(b"first", first)
    fleet.park(b"second", second)
    left[0] = HEADROOM_BYTES - 1
    run_until(lambda: first.process.has_ended)
    left[0] = HEADROOM_BYTES
    run_until(lambda: not fleet._guard.is_short)
    assert second.process.is_alive
    assert (fleet.status()["given_up"], fleet.status()["kept"]) == (1, 1)


def test_turn_waits_for_memory_unless_no_process_is_left(
    start_fleet: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_guard, "MIN_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(MemoryGauge, "available", lambda gauge: 0)
    fleet = start_fleet(warm_processes=0)
    first = converse(fleet)
    run_until(lambda: fleet._guard.is_short)
    waiting = gevent.spawn(converse, fleet)
    gevent.sleep(0.2)  # several looks at the memory
    assert not waiting.ready()
    fleet.end_conversation(first)
    waiting.join(10)
    assert waiting.value is not None
    fleet.end_conversation(waiting.value)


def test_agent_evicts_parked_conversations_and_then_warm_processes(
    start_fleet: Start, cli: ScriptedCli
) -> None:
    fleet = start_fleet(max_processes=2, warm_processes=1)
    conversation = converse(fleet)
    fleet.park(b"digest", conversation)
    run_until(lambda: fleet.status()["warm"] == 1)
    workspace = AgentWorkspace(str(cli.home), ("Read",))
    processes = []
    for _ in range(2):
        fleet.acquire_slot(Ticket[bool]())
        processes.append(fleet.start_agent(workspace))
    assert conversation.process.has_ended
    assert (fleet.status()["kept"], fleet.status()["warm"], count_living()) == (0, 0, 2)
    for process in processes:
        process.close()


def test_second_use_of_a_set_up_prepares_a_process(
    start_fleet: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "PREPARE_SECONDS", 0.01)
    fleet = start_fleet()
    asked = turn("hello", system=("Be brief.",))
    tuning = tune(asked, MODEL, is_seeded=True)
    fleet.prepare_next(b"set-up", asked, tuning)
    fleet.prepare_next(b"set-up", asked, tuning)
    run_until(lambda: fleet.status()["prepared"] == 1)
    found = fleet.take_parked([b"set-up"], lambda *_: True)
    assert found is not None
    assert found[0].is_new
    fleet.end_conversation(found[0])


def test_refused_login_replaces_the_warm_processes(start_fleet: Start) -> None:
    fleet = start_fleet()
    starts = fleet.status()["starts"]
    fleet.record_failure(RateLimited("later"))
    assert fleet.problem is None
    error = fleet.record_failure(NotLoggedIn("no"))
    assert error.message.startswith("no Run `/")
    assert "auth login`" in error.message
    assert "auth login`" in str(fleet.problem)
    run_until(lambda: fleet.status()["starts"] == starts + 1)
    fleet.record_failure(NotLoggedIn("no"))
    fleet.record_success()
    assert fleet.problem is None
    run_until(lambda: fleet.status()["warm"] == 1)
    assert fleet.status()["starts"] == starts + 1  # the second refusal came too soon for another renewal


def test_waiting_turn_takes_a_process_that_is_parked_before_one_has_started(
    cli: ScriptedCli, start_fleet: Start
) -> None:
    fleet = start_fleet(warm_processes=2)
    free, other = converse(fleet), converse(fleet)
    cli.set_mode("never-answer")
    answers = [gevent.spawn(answer, fleet, turn("hello")) for _ in range(2)]
    run_until(lambda: fleet.status()["starting"] > 0)
    fleet.park(b"another set-up", other)
    gevent.sleep(0.05)
    assert not answers[0].ready()
    fleet.park(digest_turn(turn("hello"))[0], free)
    assert answers[0].get(timeout=5) == "You said: hello"
    assert not answers[1].ready()
    fleet.close()
    with pytest.raises(ClaudeUnavailable):
        answers[1].get(timeout=5)
