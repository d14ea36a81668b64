"""A real MCP server, and OpenAI's SDK on the other side of the gateway."""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.clients.installs import python_of
from tests.standin import StandIn, text, tool_calls
from tests.support.gateway import Gateway, wait_for

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
