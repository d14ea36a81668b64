"""Features of Claude Code alone: tools that are loaded later, subagents, `/context` and `/compact`."""

import hashlib
from pathlib import Path

import pytest

from tests.clients.agent.actions import Run, Use
from tests.clients.client import Desk
from tests.clients.conftest import Note
from tests.clients.programs.claude_code import CLIENT
from tests.clients.scenarios import FILE, FINAL, OLD_LINE, TASK, Trial, results_of
from tests.standin import StandIn
from tests.standin.prompt import texts
from tests.support.gateway import Gateway

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


@pytest.fixture
def trial(
    keeping_gateway: Gateway,
    standin: StandIn,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    matrix_cell: Note,
) -> Trial:
    """Return Claude Code at its desk, with a key of its own."""
    name = request.node.name.removeprefix("test_")
    matrix_cell(CLIENT.recipe.title, CLIENT.version, CLIENT.recipe.dialect, name)
    key = hashlib.sha256(f"claude-code {name}".encode()).hexdigest()
    desk = Desk(CLIENT, tmp_path, keeping_gateway.url, key)
    desk.write(FILE, f"{OLD_LINE}\n")
    desk.commit()
    return Trial(desk, standin)


def test_tool_search(trial: Trial) -> None:
    agent = trial.agent([[Use("ToolSearch", {"query": "select:NotebookEdit"})], [Run("echo went-on")]])
    assert FINAL in trial.desk.ask(TASK).out
    found, went_on = results_of(agent, 2)
    assert found.startswith("<functions>\n<function>")
    assert '"name":"NotebookEdit"' in found
    assert "went-on" in went_on
    deferred = [tool["name"] for tool in agent.seen[-1]["tools"] if tool.get("defer_loading")]
    assert "NotebookEdit" in deferred
    first, last = (list(texts(agent.seen[index]["messages"][0]["content"])) for index in (0, -1))
    assert first == last  # the prompt only grows


def test_subagents(trial: Trial) -> None:
    task = {"description": "Count", "prompt": "Count it.", "subagent_type": "general-purpose"}
    agent = trial.agent([[Use("Agent", task | {"run_in_background": False})] * 2])
    assert FINAL in trial.desk.ask(TASK).out
    first, second = results_of(agent, 2, rounds=1)
    assert "Greeting" in first
    assert "Greeting" in second


def test_context(trial: Trial, keeping_gateway: Gateway) -> None:
    trial.agent()
    trial.desk.ask(TASK)
    before = keeping_gateway.api.health()["claude"]["starts"]
    shown = trial.desk.resume("/context").out
    assert "System tools" in shown
    counts = [record for record in trial.standin.requests if "count_tokens" in record.path]
    assert len(counts) > 10
    assert keeping_gateway.api.health()["claude"]["starts"] - before <= 8


def test_compact(trial: Trial) -> None:
    trial.agent([[Run("echo before-it")]])
    trial.desk.ask(TASK)
    trial.agent(marker="summary", final="<summary>They greeted Ada.</summary>")
    trial.desk.resume("/compact")
    agent = trial.agent([[Run("echo after-it")]], marker="Go on.")
    assert FINAL in trial.desk.resume("Go on.").out
    assert "after-it" in results_of(agent, 1)[0]
    assert "They greeted Ada." in str(agent.seen[0]["messages"][0])


def test_plan_mode(trial: Trial) -> None:
    agent = trial.agent()
    assert FINAL in trial.desk.run(("-p", TASK, "--permission-mode", "plan")).out
    assert len(agent.seen) == 1
