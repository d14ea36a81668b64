"""A real MCP server, and the official SDKs and their agent loops on the other side of the gateway."""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.clients.agent_loops.environments import HERE, QUIET, python_for
from tests.clients.conftest import Note
from tests.clients.installs import RUN_SECONDS, clean_environ, pypi_version, python_of, run
from tests.standin import (
    Page,
    Reply,
    StandIn,
    blocks,
    cited,
    found,
    search,
    searches,
    text,
    text_block,
    tool_block,
    tool_calls,
)
from tests.support.gateway import ROOT, Gateway, wait_for
from tests.support.recorded import Body, messages_of

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]

SERVER = """
import base64, sys, time
from mcp.server.mcpserver import Image, MCPServer

server = MCPServer("words")
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@server.tool()
def search(query: str) -> str:
    "Search."
    return f"Found {query}."


@server.tool()
def fail() -> str:
    "Fail."
    raise ValueError("no such page")


@server.tool()
def big() -> str:
    "Return 5 MB."
    return "x" * 5_000_000


@server.tool()
def picture() -> Image:
    "Return an image."
    return Image(data=base64.b64decode(PIXEL), format="png")


@server.tool()
def slow() -> str:
    "Hang."
    time.sleep(60)
    return "late"


server.run(transport="streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
"""


@pytest.fixture
def server_url(tmp_path: Path) -> Iterator[str]:
    """Run the server, and return its URL."""
    script = tmp_path / "server.py"
    script.write_text(SERVER, "utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([str(python_of("mcp")), str(script), str(port)])
    try:
        wait_for(lambda: _answers(port))
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_sdk_streams_calls_of_a_real_server(
    start_gateway: Callable[..., Gateway], standin: StandIn, server_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"servers": {"words": {"url": server_url}}}))
    gateway = start_gateway(MCP_CONFIG_PATH=str(path), MCP_TIMEOUT_SECONDS="3")
    names = ["search", "fail", "big", "picture", "slow"]
    standin.default(text("Done."))
    calls: list[tuple[str, dict[str, Any]]] = [
        (f"mcp__words__{name}", {"query": "cats"} if name == "search" else {}) for name in names
    ]
    standin.reply(tool_calls(calls), times=1)
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="unused")
    tool: Any = {"type": "mcp", "server_label": "words", "require_approval": "never"}
    with client.responses.stream(model="haiku", input="Go", tools=[tool]) as stream:
        kinds = [event.type for event in stream]
        response = stream.get_final_response()
    assert "response.mcp_list_tools.completed" in kinds
    assert kinds.count("response.mcp_call_arguments.done") == len(names)
    assert kinds.count("response.mcp_call.failed") == 2
    outputs = {item.name: item.output or "" for item in response.output if item.type == "mcp_call"}
    assert outputs["search"] == "Found cats."
    assert outputs["picture"] == "[image left out]"
    assert len(outputs["big"]) < 100_100
    assert "did not answer in time" in outputs["slow"]
    assert response.output_text == "Done."


PAGES = (Page("https://cats.example/a", "Cats"), Page("https://lions.example/b", "Lions"))
FINAL = "Cats purr, and it is 21 °C in Paris."


def model(body: Body) -> Reply:
    """Answer as the model: search the web and the server, then call the function, then answer."""
    results = json.dumps(body["messages"]).count('"tool_result"')
    if results == 2:
        return text(FINAL)
    if results == 1:
        weather = next(tool["name"] for tool in body["tools"] if "weather" in tool["name"])
        return tool_calls([(weather, {"city": "Paris"}, "toolu_weather")])
    found_pages = (search("purring animals"), found(*PAGES), cited("Cats and lions purr.", *PAGES))
    called = tool_block("mcp__words__search", {"query": "cats"}, "toolu_words")
    return blocks(text_block("I look."), *found_pages, called, usage=searches(1))


@pytest.fixture
def searching(
    start_gateway: Callable[..., Gateway], standin: StandIn, server_url: str, tmp_path: Path
) -> Gateway:
    """Return a gateway with the server and with web search. The model uses both."""
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"servers": {"words": {"url": server_url}}}))
    standin.default(model)
    return start_gateway(MCP_CONFIG_PATH=str(path), HOSTED_TOOLS="web_search")


def test_agents_sdk_uses_hosted_mcp_and_web_search(
    searching: Gateway, standin: StandIn, tmp_path: Path, matrix_cell: Note
) -> None:
    version = pypi_version("agents", "openai-agents", HERE / "requirements-agents.txt")
    matrix_cell("Agents SDK", version, "responses", "hosted MCP and web search")
    command = [str(python_for("agents")), "-m", "tests.clients.agent_loops.client_agents_hosted"]
    environ = clean_environ(tmp_path, PYTHONPATH=str(ROOT), **QUIET)
    seen = json.loads(run([*command, searching.url], RUN_SECONDS, environ))
    first = ["mcp_list_tools", "message", "web_search_call", "message"]
    plain = [[*first, "mcp_call", "function_call"], ["message"]]
    for way in ("whole", "streamed"):
        assert seen[way]["responses"] == plain
        assert (seen[way]["outputs"], seen[way]["asked"]) == (["Found cats."], [])
    arguments = ["search", '{"query":"cats"}']
    for way, outputs, then in (
        ("approved", ["Found cats."], ["mcp_call", "function_call"]),
        ("denied", [], ["function_call"]),
    ):
        assert seen[way]["responses"] == [[*first, "mcp_approval_request"], then, ["message"]]
        assert (seen[way]["outputs"], seen[way]["asked"]) == (outputs, [arguments])
    for one in seen.values():
        assert one["final"] == FINAL
        assert one["citations"] == [page.url for page in PAGES]
    assert "response.mcp_call.completed" in seen["streamed"]["events"]
    assert "response.web_search_call.completed" in seen["streamed"]["events"]
    assert {record.status for record in standin.messages} == {200}


def test_anthropic_tool_runner_uses_mcp_servers(
    searching: Gateway, standin: StandIn, server_url: str, tmp_path: Path, matrix_cell: Note
) -> None:
    version = pypi_version("anthropic_suite", "anthropic")
    matrix_cell("anthropic-python", version, "messages", "mcp_servers and web search")
    script = "tests.clients.agent_loops.client_anthropic_mcp"
    command = [str(python_of("anthropic_suite")), "-m", script, searching.url, server_url]
    seen = json.loads(run(command, RUN_SECONDS, clean_environ(tmp_path, PYTHONPATH=str(ROOT))))
    searched = ["text", "server_tool_use", "web_search_tool_result", "text"]
    rounds = [[*searched, "mcp_tool_use", "mcp_tool_result", "tool_use"], ["text"]]
    assert seen == dict.fromkeys(("whole", "streamed", "without a thread", "async"), rounds)
    assert {record.status for record in standin.messages} == {200}
    said = messages_of(standin.messages.last)
    assert [message["role"] for message in said] == ["user", "assistant"] * 2 + ["user"]
    assert [block["type"] for block in said[1]["content"]] == [*searched, "tool_use"]
    assert said[2]["content"][0]["content"] == [{"type": "text", "text": "Found cats."}]
