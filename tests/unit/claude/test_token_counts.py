"""Token counts: few processes serve many of them, and none sees what another has counted. The CLI is scripted.

The scripted CLI counts one token for each character.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

import gevent
import pytest

from gateway.accounts.account import Account
from gateway.accounts.states import AccountStates, Rest
from gateway.claude.cli import counting
from gateway.claude.cli.process import ControlRefused, Process
from gateway.claude.fleet.wait_queue import Ticket
from gateway.claude.service import Claude
from gateway.claude.token_counts import MAX_COUNTS
from gateway.errors import ClaudeUnavailable, NotLoggedIn, UpstreamError
from gateway.hosted import HostedTool
from gateway.turn import Tool, Turn
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
    claude.await_ready()
    run_until(lambda: claude.status()["logged_in"])  # the process that asks for the login has started
    yield claude
    claude.close()


def count_at_once(claude: Claude, turns: list[Turn]) -> list[int]:
    """Return the counts of turns that are asked for at the same time."""
    greenlets = [gevent.spawn(claude.count_tokens, asked) for asked in turns]
    gevent.joinall(greenlets, raise_error=True, timeout=20)
    return [greenlet.get().tokens for greenlet in greenlets]


def test_process_counts_again_without_what_it_has_counted(claude: Claude, cli: ScriptedCli) -> None:
    assert claude.count_tokens(turn("hello")).tokens == 5
    started = cli.starts
    assert claude.count_tokens(turn("hi", "ho", "hu")).tokens == 4  # the fake counts user messages
    assert claude.count_tokens(turn("a" * 100)).tokens == 100
    assert claude.status()["kept"] == 1
    assert cli.starts == started


def test_definitions_of_tools_count(claude: Claude) -> None:
    search = HostedTool({"type": "web_search_20250305", "name": "web_search"})
    with_search = replace(turn("hello"), hosted_tools=(search,))
    counted = '{"type":"web_search_20250305","name":"web_search"}\nhello'  # the fake joins texts by lines
    assert claude.count_tokens(with_search).tokens == len(counted)


def test_burst_of_counts_uses_few_processes(claude: Claude, cli: ScriptedCli) -> None:
    """Claude Code's `/context` sends two dozen requests, some of them equal."""
    turns = [turn("x" * (size % 20)) for size in range(1, 25)]
    before = cli.starts
    assert count_at_once(claude, turns) == [size % 20 for size in range(1, 25)]
    assert cli.starts - before <= MAX_COUNTS + 1
    run_until(lambda: claude.status()["running"] == 0)
    before = claude.status()["kept_hits"]
    assert count_at_once(claude, turns) == [size % 20 for size in range(1, 25)]
    assert claude.status()["kept_hits"] == before  # the figures are remembered


def test_system_text_and_loaded_tools_are_counted(claude: Claude) -> None:
    tool = Tool("search", "Finds.\n\nMore about it.", {"type": "object"})
    later = Tool("later", "Not in the prompt.", {"type": "object"}, {"defer_loading": True})
    described = (
        '<functions>\n<function>{"description":"Finds.\\n\\nMore about it.","name":"search",'
        '"parameters":{"type":"object"}}</function>\n</functions>'
    )
    asked = turn("hello", system=("Be", "brief"), tools=(tool, later))
    assert claude.count_tokens(asked).tokens == len("\n".join(["Be\n\nbrief", described, "hello"]))


def test_owners_and_models_have_processes_of_their_own(claude: Claude, cli: ScriptedCli) -> None:
    for owner in ("me", "you"):
        assert claude.count_tokens(turn("hello", owner=owner)).tokens == 5
    assert claude.status()["kept"] == 2


def test_process_that_cannot_take_messages_back_counts_once(
    claude: Claude, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "rewind", lambda *_: False)
    assert claude.count_tokens(turn("hello")).tokens == 5
    assert claude.status()["kept"] == 0


def test_killed_request_does_not_take_equal_ones_with_it(claude: Claude) -> None:
    first, second = (gevent.spawn(claude.count_tokens, turn("hello")) for _ in range(2))
    gevent.sleep(0)
    first.kill(block=False)
    assert second.get(timeout=20).tokens == 5


@pytest.fixture
def two(cli: ScriptedCli) -> Iterator[Claude]:
    """Return the facade of a fleet with two accounts."""
    accounts = [Account(name, "token", {"CLAUDE_CODE_OAUTH_TOKEN": name}) for name in ("a", "b")]
    claude = Claude(make_settings(cli, warm_processes=0), AccountStates(accounts, is_listed=True))
    claude.open()
    claude.await_ready()
    yield claude
    claude.close()


def rest(claude: Claude, *names: str) -> None:
    for name in names:
        claude.accounts.record_rest(name, Rest("quota", time.time() + 1000))


def test_account_that_has_quota_counts_and_one_without_if_there_is_no_other(two: Claude) -> None:
    assert two.count_tokens(turn("hello", accounts=("a", "b"))) == (5, "a")
    assert two.count_tokens(turn("hello", accounts=("b",))) == (
        5,
        "b",
    )  # the first figure is of another account
    rest(two, "a")
    assert two.count_tokens(turn("hello!", accounts=("a", "b"))) == (6, "b")
    rest(two, "b")
    assert two.count_tokens(turn("hello!!", accounts=("a", "b"))).tokens == 7


@pytest.mark.parametrize("reason", ["login", "start"])
def test_another_account_counts_if_one_cannot(
    two: Claude, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    take = two._fleet.take_warm
    failure = NotLoggedIn() if reason == "login" else ClaudeUnavailable()

    def take_of_b(ticket: Ticket[Process], account: str) -> Process:
        if account == "a":
            raise failure
        return take(ticket, account=account)

    monkeypatch.setattr(two._fleet, "take_warm", take_of_b)
    assert two.count_tokens(turn("hello", accounts=("a", "b"))) == (5, "b")
    assert [one.reason for one in two.accounts.rests("a")] == [reason]
    with pytest.raises(type(failure)):
        two.count_tokens(turn("hello", accounts=("a",)))


def test_another_account_counts_if_the_cli_of_one_refuses(
    two: Claude, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = counting.CountingConversation.count

    def refuse(self: counting.CountingConversation, asked: Turn) -> int:
        if self.process.account == "a":
            raise ControlRefused("no")
        return count(self, asked)

    monkeypatch.setattr(counting.CountingConversation, "count", refuse)
    assert two.count_tokens(turn("hello", accounts=("a", "b"))) == (5, "b")
    with pytest.raises(UpstreamError):
        two.count_tokens(turn("hello", accounts=("a",)))
