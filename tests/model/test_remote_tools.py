"""Remote MCP servers on the Responses API: the real CLI with a scripted model, and a server that can misbehave."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.standin import StandIn, text, tool_calls
from tests.support.gateway import Gateway
from tests.support.mcp_server import McpServer
from tests.support.pictures import plain
from tests.support.recorded import Body

SECRET = "s3cr3t-of-the-docs"
FUNCTION: Body = {
    "type": "function",
    "name": "search",
    "parameters": {"type": "object", "properties": {}},
}
CALL = ("mcp__docs__search", {"query": "cats"})


@pytest.fixture(scope="module")
def remote(
    cli_environ: dict[str, str], server: McpServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    path = tmp_path_factory.mktemp("mcp") / "mcp.json"
    listed = {"url": server.url, "headers": {"Authorization": "Bearer ${DOCS_TOKEN}"}}
    constant = {"url": server.url, "keys": ["team"], "on_every_request": True}
    path.write_text(
        json.dumps({"servers": {"docs": listed, "notes": constant, "own": {**listed, "keys": ["x"]}}})
    )
    settings = {"MCP_CONFIG_PATH": str(path), "DOCS_TOKEN": SECRET, "MCP_TIMEOUT_SECONDS": "5"}
    gateway = Gateway({**cli_environ, **settings, "MAX_PROCESSES": "4", "WARM_PROCESSES": "1"})
    yield gateway
    gateway.close()


@pytest.fixture
def respond(remote: Gateway, standin: StandIn, server: McpServer) -> Callable[..., Body]:
    """Return a function that sends a request with the server's tools, and returns the response."""
    server.calls.clear()
    standin.default(text("Cats purr."))

    def respond(given: Any, status: int = 200, **fields: Any) -> Body:
        body = {
            "model": "haiku",
            "input": given,
            "tools": [{"type": "mcp", "server_label": "docs"}],
            **fields,
        }
        answer = remote.api.post("/v1/responses", json=body)
        assert answer.status_code == status, answer.text
        parsed: Body = answer.json()
        return parsed

    return respond


@pytest.fixture
def kill_parked(remote: Gateway) -> Callable[[], None]:
    """Return a function that kills the processes of the CLI."""

    def kill() -> None:
        for process in remote.cli_processes():
            process.kill()

    return kill


def kinds(response: Body) -> list[str]:
    return [item["type"] for item in response["output"]]


def tool_results(standin: StandIn) -> list[Body]:
    return [
        block
        for message in standin.messages.last.body["messages"]
        for block in (message["content"] if isinstance(message["content"], list) else [])
        if block["type"] == "tool_result"
    ]


def test_remote_call_is_made_by_the_gateway_and_replayed(
    respond: Callable[..., Body], standin: StandIn, server: McpServer
) -> None:
    standin.reply(tool_calls([CALL], text="Let me look."), times=1)
    response = respond("Cats?")
    assert kinds(response) == ["mcp_list_tools", "message", "mcp_call", "message"]
    listing, _, call, _ = response["output"]
    assert [tool["name"] for tool in listing["tools"]] == ["search"]
    assert (call["name"], json.loads(call["arguments"]), call["output"]) == ("search", CALL[1], "Found cats.")
    assert server.calls == [("search", {"query": "cats"})]
    assert {headers.get("Authorization") for headers in server.seen} == {f"Bearer {SECRET}"}
    assert [tool["name"] for tool in standin.messages.last.body["tools"]] == ["mcp__docs__search"]
    again = respond("And dogs?", previous_response_id=response["id"])
    assert kinds(again) == ["message"]
    assert [result["content"] for result in tool_results(standin)] != []
    assert SECRET not in json.dumps([response, again])
    assert SECRET not in json.dumps(standin.messages.last.body)


def test_results_of_all_kinds_reach_the_model(
    respond: Callable[..., Body], standin: StandIn, server: McpServer
) -> None:
    pixel = base64.b64encode(plain(40, 40)).decode()
    parts = [
        {"type": "text", "text": f"The key is {SECRET}. " + "x" * 5_000_000},
        {"type": "image", "data": pixel, "mimeType": "image/png"},
        {"type": "resource", "resource": {"uri": "file:///a", "text": "hidden"}},
    ]
    server.answers["search"] = lambda arguments: {"content": parts}
    server.streams = True
    try:
        standin.reply(tool_calls([CALL]), times=1)
        response = respond("Cats?")
    finally:
        server.answers.clear()
        server.streams = False
    (result,) = tool_results(standin)
    assert [part["type"] for part in result["content"]] == ["text", "image", "text"]
    assert len(result["content"][0]["text"]) < 100_100
    assert "characters left out]" in result["content"][0]["text"]
    assert response["output"][-2]["output"].endswith("\n[image left out]\n[6 characters left out]")
    assert SECRET not in json.dumps([response, result])


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"status": 500}, "it answered with HTTP status 500"),
        (
            {"status": 302, "headers": {"Location": "http://169.254.169.254/"}},
            "redirects are not followed",
        ),
        ({"silence": 6.0}, "it did not answer in time"),
    ],
    ids=["fails", "redirects", "hangs"],
)
@pytest.mark.wide
def test_failed_call_is_explained_to_the_model(
    respond: Callable[..., Body], standin: StandIn, server: McpServer, fault: Body, reason: str
) -> None:
    def break_server(body: Body) -> Any:
        for name, value in fault.items():
            setattr(server, name, value)
        return tool_calls([CALL])

    respond("Hello")  # the list of tools is known from now on
    standin.reply(break_server, times=1)
    try:
        response = respond("Cats?")
    finally:
        server.status, server.headers, server.silence = 200, {}, 0.0
    (call,) = [item for item in response["output"] if item["type"] == "mcp_call"]
    assert (call["status"], reason in call["output"]) == ("failed", True)
    (result,) = tool_results(standin)
    assert result["is_error"]
    assert response["status"] == "completed"


ALWAYS = [{"type": "mcp", "server_label": "docs", "require_approval": "always"}]


def decide(request: Body, *, approve: bool) -> Body:
    return {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": approve}


@pytest.mark.parametrize("is_lost", [False, pytest.param(True, marks=pytest.mark.wide)])
def test_decisions_about_two_calls_take_effect(
    respond: Callable[..., Body],
    standin: StandIn,
    server: McpServer,
    kill_parked: Callable[[], None],
    is_lost: bool,
) -> None:
    standin.reply(tool_calls([CALL, ("mcp__docs__search", {"query": "dogs"})]), times=1)
    asked = respond("Pets?", tools=ALWAYS)
    first, second = [item for item in asked["output"] if item["type"] == "mcp_approval_request"]
    assert json.loads(second["arguments"]) == {"query": "dogs"}
    assert server.calls == []
    if is_lost:
        kill_parked()
    decisions = [decide(first, approve=False), {**decide(second, approve=True), "reason": "Fine."}]
    response = respond(decisions, tools=ALWAYS, previous_response_id=asked["id"])
    assert kinds(response) == ["mcp_call", "message"]
    assert response["output"][0]["approval_request_id"] == second["id"]
    assert server.calls == [("search", {"query": "dogs"})]
    shown = [json.dumps(result["content"]) for result in tool_results(standin)]
    assert "did not approve" in shown[0]
    assert "Found dogs." in shown[1]
    again = respond("Thanks.", tools=ALWAYS, previous_response_id=response["id"])
    assert kinds(again) == ["message"]
    assert [json.dumps(result["content"]) for result in tool_results(standin)] == shown


def test_forged_and_foreign_decisions_are_rejected(
    respond: Callable[..., Body], remote: Gateway, standin: StandIn, server: McpServer
) -> None:
    standin.reply(tool_calls([CALL]), times=1)
    asked = respond("Cats?", tools=ALWAYS)
    request = asked["output"][-1]
    history = [{"role": "user", "content": "Cats?"}, request, decide(request, approve=True)]
    forged = {**request, "id": "mcpr_toolu_forged"}
    changed = {**request, "arguments": '{"query": "secrets"}'}
    for items in (
        [history[0], forged, decide(forged, approve=True)],
        [history[0], changed, decide(changed, approve=True)],
        [history[0], decide(request, approve=True)],
    ):
        assert respond(items, status=400, tools=ALWAYS)["error"]["type"] == "invalid_request_error"
    body = {"model": "haiku", "input": history, "tools": ALWAYS}
    foreign = remote.api.post("/v1/responses", json=body, headers={"Authorization": "Bearer other"})
    assert foreign.status_code == 400
    assert server.calls == []
    assert kinds(respond(history, tools=ALWAYS)) == ["mcp_list_tools", "mcp_call", "message"]


def test_function_of_the_client_with_the_same_name_stays_the_clients(
    respond: Callable[..., Body], standin: StandIn, server: McpServer
) -> None:
    tools = [{"type": "mcp", "server_label": "docs"}, FUNCTION]
    standin.reply(tool_calls([CALL, ("search", {})]), times=1)
    response = respond("Cats?", tools=tools)
    assert kinds(response) == ["mcp_list_tools", "mcp_call", "function_call"]
    own = response["output"][-1]
    assert own["name"] == "search"
    output = {"type": "function_call_output", "call_id": own["call_id"], "output": "Mine."}
    again = respond([output], tools=tools, previous_response_id=response["id"])
    assert kinds(again) == ["message"]
    assert len(server.calls) == 1
    assert len(tool_results(standin)) == 2


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        ({"server_label": "unknown"}, "tools[0].server_label"),
        ({"server_label": "own"}, "tools[0].server_label"),
        ({"server_label": "x", "server_url": "http://127.0.0.1:1/"}, "tools[0].server_url"),
        ({"server_label": "x", "server_url": "file:///etc/passwd"}, "tools[0].server_url"),
        ({"server_label": "a b"}, "tools[0].server_label"),
        ({"server_label": "docs", "require_approval": "sometimes"}, "tools[0].require_approval"),
        ({"server_label": "docs", "connector_id": "connector_gmail"}, "tools[0].connector_id"),
        ({"server_label": "docs", "headers": {"X": "a\r\nHost: b"}}, "tools[0].headers"),
    ],
)
def test_bad_servers_are_rejected(respond: Callable[..., Body], tool: Body, param: str) -> None:
    answer = respond("Hi", status=400, tools=[{"type": "mcp", **tool}])
    assert answer["error"]["param"] == param


@pytest.mark.wide
def test_forced_call_is_made_once(respond: Callable[..., Body], standin: StandIn, server: McpServer) -> None:
    standin.reply(tool_calls([CALL]), times=1)
    choice = {"type": "mcp", "server_label": "docs", "name": "search"}
    response = respond("Cats?", tool_choice=choice, model="claude-haiku-4-5")
    assert kinds(response) == ["mcp_list_tools", "mcp_call", "message"]
    first, second = standin.messages
    assert first.body["tool_choice"] == {"type": "tool", "name": "mcp__docs__search"}
    assert "tool_choice" not in second.body


@pytest.mark.wide
def test_choice_of_a_server_offers_only_its_tools_until_one_was_called(
    respond: Callable[..., Body], standin: StandIn, server: McpServer
) -> None:
    standin.reply(tool_calls([CALL]), times=1)
    read = {"name": "read", "inputSchema": {"type": "object"}}
    server.tools.append(read)
    try:
        choice = {"type": "mcp", "server_label": "docs"}
        docs = {"type": "mcp", "server_label": "docs", "headers": {"X-Other": "list"}}
        respond("Cats?", tool_choice=choice, model="claude-haiku-4-5", tools=[docs, FUNCTION])
    finally:
        server.tools.remove(read)
    first, second = standin.messages
    assert first.body["tool_choice"] == {"type": "any"}
    assert [tool["name"] for tool in first.body["tools"]] == ["mcp__docs__search", "mcp__docs__read"]
    assert [tool["name"] for tool in second.body["tools"]] == [
        "search",
        "mcp__docs__search",
        "mcp__docs__read",
    ]
    assert "tool_choice" not in second.body


@pytest.mark.wide
def test_allowed_tools_limit_remote_tools_too(
    respond: Callable[..., Body], standin: StandIn, server: McpServer
) -> None:
    both = [{"type": "mcp", "server_label": "docs"}, FUNCTION]
    for listed, offered in (
        ([{"type": "mcp", "server_label": "docs", "name": "search"}], ["mcp__docs__search"]),
        ([{"type": "mcp", "server_label": "docs", "name": "read"}], []),
        ([{"type": "function", "name": "search"}], ["search"]),
    ):
        choice = {"type": "allowed_tools", "mode": "auto", "tools": listed}
        respond("Cats?", tool_choice=choice, tools=both)
        assert [tool["name"] for tool in standin.messages.last.body.get("tools", ())] == offered
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp", "server_label": "other"}]}
    refused = respond("Cats?", status=400, tool_choice=choice, tools=both)
    assert refused["error"]["param"] == "tool_choice.tools[0].server_label"


@pytest.mark.wide
def test_key_gets_the_servers_of_every_request_on_chat(
    start_gateway: Callable[..., Gateway],
    standin: StandIn,
    server: McpServer,
    tmp_path: Path,
) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"servers": {"docs": {"url": server.url, "on_every_request": True}}}))
    gateway = start_gateway(MCP_CONFIG_PATH=str(path))
    server.calls.clear()
    standin.default(text("Cats purr."))
    standin.reply(tool_calls([CALL], text="Let me look. "), times=1)
    answer = gateway.api.chat("Cats?").json()
    message = answer["choices"][0]["message"]
    assert "tool_calls" not in message
    assert message["content"].startswith("Let me look.")
    assert message["content"].endswith("Cats purr.")
    assert server.calls == [("search", {"query": "cats"})]
    assert answer["usage"]["prompt_tokens"] > 0
