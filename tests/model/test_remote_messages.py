"""Remote MCP servers on `/v1/messages`, through the real CLI and Anthropic's own SDK, block by block."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2 as httpx
import pytest

from tests.standin import StandIn, sign, text, thinking, tool_calls
from tests.support.gateway import Gateway
from tests.support.mcp_server import McpServer
from tests.support.recorded import Body, assistant, messages_of, process_of, user
from tests.support.wide import wide_except

MODEL = "claude-haiku-4-5"
KEY = "alice-key-0123456789"
TOKEN = "t0ken-of-the-client"
TOOLSET: Body = {"type": "mcp_toolset", "mcp_server_name": "docs"}
LOOK: Body = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
CALL = ("mcp__docs__search", {"query": "cats"}, "toolu_cats")
CONTENT: list[Body] = [
    {"type": "text", "text": "Let me look."},
    {
        "type": "mcp_tool_use",
        "id": "mcptoolu_cats",
        "name": "search",
        "server_name": "docs",
        "input": {"query": "cats"},
    },
    {
        "type": "mcp_tool_result",
        "tool_use_id": "mcptoolu_cats",
        "is_error": False,
        "content": [{"type": "text", "text": "Found cats."}],
    },
    {"type": "text", "text": "Cats purr."},
]
#: The same answer as the model knows it.
SAID: list[Body] = [
    assistant([CONTENT[0], {"type": "tool_use", "id": "toolu_cats", "name": CALL[0], "input": CALL[1]}]),
    user([{"type": "tool_result", "tool_use_id": "toolu_cats", "content": CONTENT[2]["content"]}]),
    assistant([CONTENT[3]]),
]


@pytest.fixture(scope="module")
def remote(
    cli_environ: dict[str, str], server: McpServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    path = tmp_path_factory.mktemp("mcp") / "mcp.json"
    guarded = {"url": f"{server.url}?guarded", "require_approval": "always"}
    path.write_text(json.dumps({"servers": {"docs": {"url": server.url}, "guarded": guarded}}))
    settings = {"MCP_CONFIG_PATH": str(path), "LOG_CONTENT": "true", "MAX_PROCESSES": "4"}
    gateway = Gateway({**cli_environ, **settings, "WARM_PROCESSES": "1"})
    yield gateway
    gateway.close()


@pytest.fixture
def claude(remote: Gateway, server: McpServer, standin: StandIn) -> Iterator[Any]:
    """Yield a client without types, because tests also pass values that the types of the SDK forbid."""
    server.calls.clear()
    server.seen.clear()
    http = httpx.Client(trust_env=False, timeout=60)
    options: Any = {"api_key": KEY, "max_retries": 0, "http_client": http}
    with anthropic.Anthropic(base_url=remote.url, **options) as sdk:
        yield sdk


def ask(claude: Any, server: McpServer, stream: bool, messages: list[Body], **fields: Any) -> Any:
    """Return the SDK's message, streamed or whole."""
    body = {
        "model": MODEL,
        "max_tokens": 9000,
        "betas": ["mcp-client-2025-11-20"],
        "mcp_servers": [{"type": "url", "name": "docs", "url": server.url, "authorization_token": TOKEN}],
        "tools": [TOOLSET],
        "messages": messages,
        **fields,
    }
    if not stream:
        return claude.beta.messages.create(**body)
    with claude.beta.messages.stream(**body) as events:
        return events.get_final_message()


def plain(answer: Any) -> list[Body]:
    """Return the content as the API sent it: without the nulls that the SDK adds."""
    return [block.model_dump(exclude_unset=True, mode="json") for block in answer.content]


@pytest.mark.parametrize("stream", wide_except([False, True], True), ids=["whole", "streamed"])
def test_calls_come_block_by_block_and_go_back_the_same_way(
    claude: Any, remote: Gateway, server: McpServer, standin: StandIn, stream: bool
) -> None:
    standin.default(text("Cats purr."))
    standin.reply(tool_calls([CALL], text="Let me look."), times=1)
    answer = ask(claude, server, stream, [user("Cats?")])
    assert plain(answer) == CONTENT
    assert answer.stop_reason == "end_turn"
    assert server.calls == [("search", {"query": "cats"})]
    assert {headers.get("Authorization") for headers in server.seen} == {f"Bearer {TOKEN}"}
    first = standin.messages.last
    assert [tool["name"] for tool in first.body["tools"]] == ["mcp__docs__search"]
    ask(claude, server, stream, [user("Cats?"), assistant(answer.content), user("Ta.")])
    assert process_of(standin.messages.last) == process_of(first)
    history = [user("Cats?"), assistant(plain(answer)), user("Ta.")]
    ask(claude, server, not stream, history, system="Be brief.")
    seeded = standin.messages.last
    assert process_of(seeded) != process_of(first)
    assert messages_of(seeded)[1:-1] == SAID
    assert TOKEN not in json.dumps([record.body for record in standin.messages])
    assert TOKEN not in remote.log


def test_remote_call_beside_a_call_of_the_clients_tool(
    claude: Any, server: McpServer, standin: StandIn
) -> None:
    standin.default(text("Cats purr."))
    standin.reply(tool_calls([CALL, ("look", {}, "toolu_look")], text="Let me look."), times=1)
    tools = [LOOK, TOOLSET]
    answer = ask(claude, server, True, [user("Cats?")], tools=tools)
    own = {"type": "tool_use", "id": "toolu_look", "name": "look", "input": {}}
    assert plain(answer) == [*CONTENT[:2], own, CONTENT[2]]
    assert answer.stop_reason == "tool_use"
    first = standin.messages.last
    result = {"type": "tool_result", "tool_use_id": "toolu_look", "content": "SEEN"}
    history = [user("Cats?"), assistant(plain(answer)), user([result])]
    assert plain(ask(claude, server, False, history, tools=tools)) == CONTENT[3:]
    assert process_of(standin.messages.last) == process_of(first)
    assert [block["tool_use_id"] for block in messages_of(standin.messages.last)[2]["content"]] == [
        "toolu_cats",
        "toolu_look",
    ]
    assert len(server.calls) == 1


@pytest.mark.wide
@pytest.mark.parametrize("model", ["claude-haiku-4-5", "sonnet"])
def test_thinking_of_each_round_goes_back_with_its_round(
    claude: Any, server: McpServer, standin: StandIn, model: str
) -> None:
    standin.default(thinking("Cats, then.", text("Cats purr.")))
    standin.reply(thinking("Let me see.", tool_calls([CALL], text="Let me look.")), times=1)
    fields = {"model": model, "thinking": {"type": "adaptive"}}
    answer = ask(claude, server, True, [user("Cats?")], **fields)
    first, then = (
        {"type": "thinking", "thinking": thought, "signature": sign(thought)}
        for thought in ("Let me see.", "Cats, then.")
    )
    assert plain(answer) == [first, *CONTENT[:3], then, CONTENT[3]]
    process = process_of(standin.messages.last)
    history = [user("Cats?"), assistant(plain(answer)), user("Ta.")]
    ask(claude, server, True, history, **fields)
    assert process_of(standin.messages.last) == process
    ask(claude, server, True, history, system="Be brief.", **fields)
    assert process_of(standin.messages.last) != process
    said = [message for message in messages_of(standin.messages.last) if message["role"] == "assistant"]
    assert [block["type"] for block in said[0]["content"]][-2:] == ["text", "tool_use"]
    assert said[-1]["content"][-1] == CONTENT[3]
    assert standin.messages.last.status == 200


@pytest.mark.wide
def test_older_form_forces_a_call_and_reports_its_failure(
    claude: Any, server: McpServer, standin: StandIn
) -> None:
    standin.default(text("Nothing."))
    standin.reply(tool_calls([CALL]), times=1)
    failure = {"content": [{"type": "text", "text": "No such page."}], "isError": True}
    server.answers["search"] = lambda arguments: failure
    try:
        answer = ask(
            claude,
            server,
            False,
            [user("Cats?")],
            betas=["mcp-client-2025-04-04"],
            mcp_servers=[
                {
                    "type": "url",
                    "name": "docs",
                    "url": server.url,
                    "tool_configuration": {"enabled": True, "allowed_tools": ["search"]},
                }
            ],
            tools=[],
            tool_choice={"type": "tool", "name": "search"},
        )
    finally:
        server.answers.clear()
    failed = {**CONTENT[2], "is_error": True, "content": failure["content"]}
    assert plain(answer) == [CONTENT[1], failed, {"type": "text", "text": "Nothing."}]
    first, second = standin.messages
    assert first.body["tool_choice"] == {"type": "tool", "name": "mcp__docs__search"}
    assert "tool_choice" not in second.body
    assert messages_of(second)[2]["content"][0]["is_error"] is True


def test_only_servers_of_the_list_are_used(claude: Any, remote: Gateway, server: McpServer) -> None:
    outside = {"type": "url", "name": "docs", "url": "http://169.254.169.254/latest"}
    with pytest.raises(anthropic.BadRequestError, match=r"mcp_servers\[0\]\.url"):
        ask(claude, server, False, [user("Cats?")], mcp_servers=[outside])
    choice = {"type": "tool", "name": "delete"}
    with pytest.raises(anthropic.BadRequestError, match="tool_choice"):
        ask(claude, server, False, [user("Cats?")], tool_choice=choice)
    assert server.calls == []


def test_tools_that_need_approval_are_not_offered_but_named(
    claude: Any, remote: Gateway, standin: StandIn
) -> None:
    standin.default(text("Hello."))
    body = {"model": MODEL, "max_tokens": 9000, "messages": [user("Hi")]}
    answer = remote.api.post("/v1/messages", json={**body, "mcp_servers": [{"name": "guarded"}]})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-ignored-parameters"] == "mcp_servers[0]"
    assert "tools" not in standin.messages.last.body or standin.messages.last.body["tools"] == []


@pytest.mark.wide
def test_tools_of_servers_count(claude: Any, remote: Gateway, server: McpServer, standin: StandIn) -> None:
    body = {"model": MODEL, "messages": [user("Hi")]}
    without = claude.beta.messages.count_tokens(**body).input_tokens
    servers = [{"type": "url", "name": "docs", "url": server.url}]
    counted = claude.beta.messages.count_tokens(**body, mcp_servers=servers, tools=[TOOLSET])
    assert counted.input_tokens > without + 20
