"""The facade: answers, token counts, and the ways in which a worker ends. The CLI is scripted."""

from collections.abc import Iterator

import gevent
import pytest

from gateway.accounts.account import Account
from gateway.accounts.states import AccountStates
from gateway.claude.merged_runs import MergedRuns
from gateway.claude.service import Claude
from gateway.errors import QuotaExceeded, ShuttingDown, TurnStopped, UpstreamError
from gateway.mcp.toolbox import Limits, Toolbox
from gateway.turn import Text
from tests.support.processes import run_until
from tests.support.scripted import ScriptedCli
from tests.unit.claude.fleets import make_settings, turn

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
    pytest.mark.usefixtures("no_processes_left"),
]


@pytest.fixture
def claude(cli: ScriptedCli) -> Iterator[Claude]:
    """Return the facade of an open fleet of scripted CLIs."""
    claude = Claude(make_settings(cli))
    claude.open()
    yield claude
    claude.close()


def read_text(runs: MergedRuns) -> list[str]:
    """Return the text of each answer and close the runs."""
    texts: dict[int, str] = {}
    try:
        for index, batch in runs:
            words = "".join(event.text for event in batch if isinstance(event, Text))
            texts[index] = texts.get(index, "") + words
    finally:
        runs.close()
    return [texts[index] for index in sorted(texts)]


def test_answers_come_in_the_order_of_the_turns(claude: Claude) -> None:
    runs = claude.answer(turn("one"), turn("two"), n=2)
    assert len(claude.runs) == 4
    assert read_text(runs) == ["You said: one", "You said: one", "You said: two", "You said: two"]
    assert claude.runs == set()


@pytest.mark.parametrize("has_remote_tools", [False, True])
def test_refusal_before_the_start_ends_the_answer(claude: Claude, has_remote_tools: bool) -> None:
    def refuse() -> None:
        raise QuotaExceeded("used up")

    toolbox = Toolbox([], Limits(), lambda data, kind: {}) if has_remote_tools else None
    runs = claude.answer(turn("hello", toolbox=toolbox), before_start=refuse)
    with pytest.raises(QuotaExceeded):
        read_text(runs)
    assert claude.status()["running"] == 0


def test_lost_process_is_an_error_of_the_count(claude: Claude, cli: ScriptedCli) -> None:
    claude.await_ready()
    run_until(lambda: claude.status()["warm"] == 1)
    claude.retire()
    cli.set_mode("frail")  # the next process ends when it is set up
    with pytest.raises(UpstreamError, match="could not count"):
        claude.count_tokens(turn("hello"))
    assert claude.status()["running"] == 0


def test_only_the_turns_of_a_project_are_stopped(claude: Claude) -> None:
    stopped = gevent.spawn(read_text, claude.answer(turn("HANGLATER", project="p")))
    other = gevent.spawn(read_text, claude.answer(turn("SLOW", project="q")))
    run_until(lambda: claude.status()["running"] == 2)
    claude.stop_project("p", TurnStopped())
    stopped.join(20)
    other.join(20)
    assert isinstance(stopped.exception, TurnStopped)
    assert other.value
    assert other.value[0].startswith("0 1 2")


@pytest.fixture
def claude_of_two(cli: ScriptedCli) -> Iterator[Claude]:
    """Return the facade of a fleet with two accounts, and one warm process for each."""
    accounts = [Account(name, "token", {"CLAUDE_CODE_OAUTH_TOKEN": name}) for name in ("a", "b")]
    settings = make_settings(cli, warm_processes=2, max_warm_processes=0)
    claude = Claude(settings, AccountStates(accounts, is_listed=True))
    claude.open()
    yield claude
    claude.close()


def test_status_counts_the_processes_of_each_account(claude_of_two: Claude, cli: ScriptedCli) -> None:
    def count() -> list[tuple[int, ...]]:
        found = claude_of_two.status()["accounts"]
        return [tuple(one[name] for name in ("running", "kept", "warm")) for one in found]

    assert read_text(claude_of_two.answer(turn("hello", accounts=("a",)))) == ["You said: hello"]
    running = gevent.spawn(read_text, claude_of_two.answer(turn("WAIT", accounts=("b",))))
    run_until(lambda: count() == [(0, 1, 1), (1, 0, 1)])
    cli.finish_waiting()
    running.join(20)
    run_until(lambda: count() == [(0, 1, 1), (0, 1, 1)])


def test_drain_lets_running_turns_finish_and_refuses_new_ones(claude: Claude) -> None:
    running = gevent.spawn(read_text, claude.answer(turn("SLOW")))
    run_until(lambda: claude.status()["running"] == 1)
    drainer = gevent.spawn(claude.drain, 20.0)
    gevent.sleep(0)
    with pytest.raises(ShuttingDown):
        claude.answer(turn("late"))
    running.join(20)
    drainer.join(20)
    assert running.value
    assert running.value[0].startswith("0 1 2")
    assert claude.problem == ShuttingDown.default_message


def test_drain_ends_turns_that_take_too_long(claude: Claude) -> None:
    running = gevent.spawn(read_text, claude.answer(turn("HANGLATER")))
    run_until(lambda: claude.status()["running"] == 1)
    claude.drain(0.1)
    running.join(10)
    assert isinstance(running.exception, ShuttingDown)
    run_until(lambda: claude.status()["processes"] == 0)
