"""Features of Codex beyond the scenarios: MCP servers, other agents, compaction, and its built-in models."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.client_recipes.codex import CODEX
from gateway.client_recipes.recipe import File, Recipe
from tests.clients.agent.actions import Run, Use
from tests.clients.agent.agent import Agent, Job
from tests.clients.client import Desk
from tests.clients.conftest import Note
from tests.clients.installs import python_of
from tests.clients.programs.codex import CLIENTS
from tests.clients.scenarios import FILE, FINAL, NEW_LINE, OLD_LINE, TASK, results_of
from tests.standin import StandIn, text
from tests.standin.prompt import texts
from tests.support.gateway import Gateway

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

CLIENT = CLIENTS[0]
CONFIG = CODEX.files[0].content
INSTRUCTIONS = "Look words up before you use them."
SERVER = f"""
from mcp.server.mcpserver import MCPServer

server = MCPServer("words", instructions={INSTRUCTIONS!r})


@server.tool()
def lookup(word: str) -> str:
    "Look a word up."
    return f"{{word}} is a word"


server.run()
"""
#: For the client's built-in provider, whose models the gateway maps to its own.
BUILT_IN = Recipe("codex-built-in", "Codex CLI", "responses", environment={"CODEX_API_KEY": "{key}"})
SUMMARY = "The user wants greeting.py to greet Ada. It was read twice."

MakeDesk = Callable[..., Desk]


@pytest.fixture
def make_desk(tmp_path: Path, request: pytest.FixtureRequest, matrix_cell: Note) -> MakeDesk:
    """Return a function that sets Codex up with a configuration, for a gateway."""

    def make(gateway: Gateway, config: str, recipe: Recipe = CODEX) -> Desk:
        title = request.node.name.removeprefix("test_codex_").replace("_", " ")
        matrix_cell(CODEX.title, CLIENT.version, CODEX.dialect, title)
        gateway.await_warm(1)  # Codex waits only 5 seconds for the models
        client = replace(CLIENT, recipe=replace(recipe, files=(File("~/.codex/config.toml", config),)))
        key = hashlib.sha256(request.node.name.encode()).hexdigest()
        desk = Desk(client, tmp_path, gateway.url, key)
        desk.write(FILE, f"{OLD_LINE}\n")
        desk.commit()
        return desk

    return make


def agent_for(desk: Desk, standin: StandIn, job: Job) -> Agent:
    agent = Agent(job, str(desk.workspace))
    standin.default(agent)
    return agent


def test_codex_uses_an_mcp_server(
    keeping_gateway: Gateway, standin: StandIn, make_desk: MakeDesk, tmp_path: Path
) -> None:
    script = tmp_path / "server.py"
    script.write_text(SERVER, "utf-8")
    command = json.dumps(str(python_of("mcp")))
    server = (
        f"\n[mcp_servers.words]\ncommand = {command}\nargs = [{json.dumps(str(script))}]\nrequired = true\n"
    )
    desk = make_desk(keeping_gateway, CONFIG + server)
    agent = agent_for(desk, standin, Job(TASK, [[Use("lookup", {"word": "Ada"})]], FINAL))

    assert FINAL in desk.ask(TASK).out

    (result,) = results_of(agent, 1)
    assert "Ada is a word" in result
    (tool,) = [tool for tool in agent.seen[0]["tools"] if tool["name"].endswith("lookup")]
    assert tool["name"] == "mcp__words__lookup"
    assert INSTRUCTIONS in tool["description"]


def test_codex_delegates_to_another_agent(
    keeping_gateway: Gateway, standin: StandIn, make_desk: MakeDesk
) -> None:
    desk = make_desk(keeping_gateway, CONFIG)
    errand = "Count the lines of greeting.py."
    child = Agent(Job(errand, [[Run(f"wc -l {FILE}")]], "It has 1 line."), str(desk.workspace))
    steps = [[Use("spawn_agent", {"message": errand})], [Use("wait_agent", {"targets": ["{agent}"]})]]
    parent = agent_for(desk, standin, Job(TASK, steps, FINAL, known={"agent": r"[0-9a-f-]{36}"}))
    standin.reply(
        child, when=lambda body: child.step_of(body) is not None and errand in "".join(spoken_in(body))
    )

    assert FINAL in desk.ask(TASK).out

    assert len(child.seen) == 2
    _, waited = results_of(parent, 2)
    assert "It has 1 line." in waited


def test_codex_compacts_a_long_conversation(
    keeping_gateway: Gateway, standin: StandIn, make_desk: MakeDesk
) -> None:
    """The provider is not OpenAI's, so Codex asks for the summary itself."""
    desk = make_desk(keeping_gateway, "model_auto_compact_token_limit = 12000\n" + CONFIG)
    check_compaction(desk, standin, "CONTEXT CHECKPOINT")


def test_codex_lets_the_gateway_compact(
    start_gateway: Callable[..., Gateway], standin: StandIn, make_desk: MakeDesk
) -> None:
    gateway = start_gateway(MODEL_PATTERNS="gpt-*=sonnet")
    config = 'model_auto_compact_token_limit = 12000\nmodel = "gpt-5.5"\nopenai_base_url = "{base_url}"\n'
    desk = make_desk(gateway, config, BUILT_IN)
    check_compaction(desk, standin, "about to be replaced by a summary")


def check_compaction(desk: Desk, standin: StandIn, asked: str) -> None:
    """Let a long result of a tool fill the context window, and go on after the summary."""
    agent_for(desk, standin, Job(TASK, [[Run("yes line | head -c 60000")]], "There was no compaction."))
    standin.reply(text(FINAL), when=lambda body: SUMMARY in "".join(spoken_in(body)))
    standin.reply(text(SUMMARY), when=asked)

    assert FINAL in desk.ask(TASK).out

    _, summary, last = standin.messages
    assert "line\nline" in "".join(spoken_in(summary.body))
    spoken = "".join(spoken_in(last.body))
    assert TASK in spoken
    assert "line\nline" not in spoken


def spoken_in(body: dict[str, Any]) -> Iterator[str]:
    """Yield all texts of the messages of a request."""
    for message in body["messages"]:
        yield from texts(message["content"])


def test_codex_works_with_its_built_in_models(
    start_gateway: Callable[..., Gateway], standin: StandIn, make_desk: MakeDesk
) -> None:
    """Codex speaks over a WebSocket, and runs its tools from JavaScript that the model writes for a tool `exec`."""
    gateway = start_gateway(MODEL_PATTERNS="gpt-*=sonnet")
    desk = make_desk(gateway, 'openai_base_url = "{base_url}"\n', BUILT_IN)
    patch = f"*** Begin Patch\n*** Update File: {FILE}\n@@\n-{OLD_LINE}\n+{NEW_LINE}\n*** End Patch\n"
    scripts = [
        f"text(await tools.apply_patch({json.dumps(patch)}));",
        f"text(await tools.exec_command({{cmd: 'cat {FILE}'}}));",
    ]
    agent = agent_for(
        desk, standin, Job(TASK, [[Use("exec", {"input": script})] for script in scripts], FINAL)
    )

    output = desk.ask(TASK)

    assert FINAL in output.out
    assert (desk.workspace / FILE).read_text("utf-8") == f"{NEW_LINE}\n"
    assert NEW_LINE in results_of(agent, 2)[1].replace("\\", "")
    assert "Reconnecting" not in output.err
    assert "status=101" in gateway.log
