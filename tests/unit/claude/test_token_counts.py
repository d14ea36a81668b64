"""Token counts: few processes serve many of them, and none sees what another has counted. The CLI is scripted.

The scripted CLI counts one token for each character.
"""

from collections.abc import Iterator
from dataclasses import replace

import gevent
import pytest

from gateway.claude.cli import counting
from gateway.claude.service import Claude
from gateway.claude.token_counts import MAX_COUNTS
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
    return [greenlet.get() for greenlet in greenlets]


def test_process_counts_again_without_what_it_has_counted(claude: Claude, cli: ScriptedCli) -> None:
    assert claude.count_tokens(turn("hello")) == 5
    started = cli.starts
    assert claude.count_tokens(turn("hi", "ho", "hu")) == 4  # the fake counts user messages
    assert claude.count_tokens(turn("a" * 100)) == 100
    assert claude.status()["kept"] == 1
    assert cli.starts == started


def test_definitions_of_tools_count(claude: Claude) -> None:
    search = HostedTool({"type": "web_search_20250305", "name": "web_search"})
    with_search = replace(turn("hello"), hosted_tools=(search,))
    counted = '{"type":"web_search_20250305","name":"web_search"}\nhello'  # the fake joins texts by lines
    assert claude.count_tokens(with_search) == len(counted)


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
    assert claude.count_tokens(asked) == len("\n".join(["Be\n\nbrief", described, "hello"]))


def test_owners_and_models_have_processes_of_their_own(claude: Claude, cli: ScriptedCli) -> None:
    for owner in ("me", "you"):
        assert claude.count_tokens(turn("hello", owner=owner)) == 5
    assert claude.status()["kept"] == 2


def test_process_that_cannot_take_messages_back_counts_once(
    claude: Claude, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "rewind", lambda *_: False)
    assert claude.count_tokens(turn("hello")) == 5
    assert claude.status()["kept"] == 0


def test_killed_request_does_not_take_equal_ones_with_it(claude: Claude) -> None:
    first, second = (gevent.spawn(claude.count_tokens, turn("hello")) for _ in range(2))
    gevent.sleep(0)
    first.kill(block=False)
    assert second.get(timeout=20) == 5
