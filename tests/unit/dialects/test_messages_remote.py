"""MCP servers on the Messages API: which tools a request enables, and the blocks of calls in both directions.

https://platform.claude.com/docs/en/agents-and-tools/mcp-connector
"""

import json
from typing import Any

import pytest

from gateway.dialects.messages.answers import Collector, StreamEncoder
from gateway.dialects.messages.errors import error_body
from gateway.dialects.messages.request import MessagesRequest, parse_request
from gateway.errors import InvalidRequest
from gateway.remote import RemoteArguments, RemoteCall, RemoteResult, RemoteTools
from gateway.turn import Done, Started, Text, ToolArguments, ToolCall, ToolChoice, Usage
from tests.support.recorded import Body, assistant, user

URL = "https://mcp.example.com/mcp"
SERVER: Body = {"type": "url", "name": "docs", "url": URL}
OTHER: Body = {"type": "url", "name": "notes", "url": "https://notes.example.com/mcp"}
TOOLSET: Body = {"type": "mcp_toolset", "mcp_server_name": "docs"}
OWN: Body = {"name": "search", "input_schema": {"type": "object", "properties": {}}}
LISTED: Body = {"name": "search", "description": "Search.", "input_schema": {"type": "object"}}


def parse(servers: list[Body], tools: list[Body] | None = None, **fields: Any) -> MessagesRequest:
    body = {"messages": [user("Hi")], "max_tokens": 100, "mcp_servers": servers, **fields}
    return parse_request(body | ({"tools": tools} if tools else {}))


@pytest.mark.parametrize(
    ("server", "toolset", "enabled"),
    [
        ({}, {}, ["search", "read", "delete"]),
        ({}, {"configs": {"delete": {"enabled": False}}}, ["search", "read"]),
        ({}, {"default_config": {"enabled": False}, "configs": {"read": {"enabled": True}}}, ["read"]),
        ({}, {"default_config": {"enabled": False}, "configs": {"read": {}}}, []),
        ({"tool_configuration": {"allowed_tools": ["search", "read"]}}, None, ["search", "read"]),
        ({"tool_configuration": {"enabled": True}}, None, ["search", "read", "delete"]),
        ({"tool_configuration": {"enabled": False}}, None, []),
        ({"tool_configuration": None}, None, ["search", "read", "delete"]),
    ],
)
def test_toolset_or_configuration_enables_tools(
    server: Body, toolset: Body | None, enabled: list[str]
) -> None:
    parsed = parse([{**SERVER, **server}], None if toolset is None else [{**TOOLSET, **toolset}])
    names = ("search", "read", "delete")
    assert [name for name in names if any(one.allows(name) for one in parsed.turn.remote_servers)] == enabled
    assert parsed.ignored == ()
    assert parsed.turn.tools == ()


def test_token_is_sent_to_the_server_and_shown_nowhere() -> None:
    parsed = parse([{**SERVER, "authorization_token": "s3cr3t"}], [TOOLSET])
    (server,) = parsed.turn.remote_servers
    assert server.headers == {"Authorization": "Bearer s3cr3t"}
    assert "s3cr3t" not in repr(parsed)


def test_fields_without_effect_are_named() -> None:
    deferred = {
        **TOOLSET,
        "default_config": {"defer_loading": True},
        "configs": {"a": {"defer_loading": False}},
    }
    parsed = parse([{**SERVER, "colour": "red"}], [{**deferred, "cache_control": {"type": "ephemeral"}}])
    assert parsed.ignored == ("mcp_servers[0].colour", "tools[0].default_config.defer_loading")


REFUSED: dict[str, tuple[list[Body], list[Body], Body, str]] = {
    "a server without a name": ([{"type": "url", "url": URL}], [], {}, "mcp_servers[0].name"),
    "a name with blanks": ([{**SERVER, "name": "a b"}], [], {}, "mcp_servers[0].name"),
    "two servers of one name": ([SERVER, SERVER], [], {}, "mcp_servers[1].name"),
    "a program": ([{**SERVER, "type": "stdio"}], [], {}, "mcp_servers[0].type"),
    "a file": ([{**SERVER, "url": "file:///etc/passwd"}], [], {}, "mcp_servers[0].url"),
    "a token with a new line": (
        [{**SERVER, "authorization_token": "a\r\nHost: b"}], [], {}, "mcp_servers[0].authorization_token",
    ),
    "wrong allowed tools": (
        [{**SERVER, "tool_configuration": {"allowed_tools": "all"}}],
        [],
        {},
        "mcp_servers[0].tool_configuration.allowed_tools",
    ),
    "a toolset without its server": ([], [TOOLSET], {}, "tools[0].mcp_server_name"),
    "a server without its toolset": ([SERVER, OTHER], [TOOLSET], {}, "mcp_servers[1].name"),
    "two toolsets of one server": ([SERVER], [TOOLSET, TOOLSET], {}, "tools[1].mcp_server_name"),
    "wrong configs": ([SERVER], [{**TOOLSET, "configs": ["read"]}], {}, "tools[0].configs"),
    "a wrong config": ([SERVER], [{**TOOLSET, "configs": {"read": True}}], {}, "tools[0].configs.read"),
    "wrong pinned tools": ([SERVER], [{**TOOLSET, "tools": [{}]}], {}, "tools[0].tools"),
    "a choice among several servers": (
        [SERVER, OTHER], [], {"tool_choice": {"type": "tool", "name": "read"}}, "tool_choice.name",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("servers", "tools", "fields", "path"), REFUSED.values(), ids=REFUSED)
def test_error_names_the_rejected_field(
    servers: list[Body], tools: list[Body], fields: Body, path: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse(servers, tools, **fields)
    assert refused.value.param == path
    assert path in error_body(refused.value, "")["error"]["message"]


@pytest.mark.parametrize(
    ("tools", "choice", "expected"),
    [
        ([], {"type": "any"}, ToolChoice("any")),
        ([], {"type": "none"}, ToolChoice("none")),
        ([], {"type": "tool", "name": "search"}, ToolChoice("tool", "search", server="docs")),
        ([OWN], {"type": "tool", "name": "search"}, ToolChoice("tool", "search")),
        (
            [OWN],
            {"type": "tool", "name": "mcp__docs__search"},
            ToolChoice("tool", "search", server="docs"),
        ),
    ],
)
def test_choice_may_name_a_remote_tool(tools: list[Body], choice: Body, expected: ToolChoice) -> None:
    assert parse([SERVER], [*tools, TOOLSET], tool_choice=choice).turn.tool_choice == expected


def test_list_of_tools_is_pinned_by_the_toolset_or_by_an_earlier_answer() -> None:
    described = {"name": "search", "description": "Search.", "inputSchema": {"type": "object"}}
    (pinned,) = parse([SERVER], [{**TOOLSET, "tools": [LISTED]}]).turn.remote_servers
    assert (pinned.tools, pinned.is_known) == ((described,), False)
    listing = {"type": "mcp_tool_listing", "mcp_server_name": "docs", "tools": [LISTED]}
    said = assistant([listing, {"type": "text", "text": "Hello."}])
    parsed = parse([SERVER], messages=[user("Hi"), said, user("Again")])
    (known,) = parsed.turn.remote_servers
    assert (known.tools, known.is_known) == ((described,), True)
    assert [[block["type"] for block in message.content] for message in parsed.turn.messages] == [
        ["text"]
    ] * 3
    assert parsed.repaired == ()


def use(name: str, query: str, server: str = "docs") -> Body:
    block = {"type": "mcp_tool_use", "id": f"mcptoolu_{query}", "name": name, "server_name": server}
    return {**block, "input": {"query": query}}


def result(query: str) -> Body:
    content = [{"type": "text", "text": f"Found {query}."}]
    return {
        "type": "mcp_tool_result",
        "tool_use_id": f"mcptoolu_{query}",
        "is_error": False,
        "content": content,
    }


def text(text: str) -> Body:
    return {"type": "text", "text": text}


#: An answer with two rounds of remote calls. A call of the client's own tool is in the second one.
CONTENT: list[Body] = [
    text("Let me look."),
    use("search", "cats"),
    use("search", "dogs"),
    result("cats"),
    result("dogs"),
    use("read", "mice"),
    {"type": "tool_use", "id": "toolu_own", "name": "search", "input": {}},
    result("mice"),
]
EVENTS = [
    Started("claude"),
    RemoteTools("docs", [{"name": "search", "description": "Search.", "inputSchema": {"type": "object"}}]),
    Text("Let me look."),
    *(
        event
        for query in ("cats", "dogs")
        for event in (
            RemoteCall(f"toolu_{query}", "docs", "search"),
            RemoteArguments(f"toolu_{query}", '{"query": '),
            RemoteArguments(f"toolu_{query}", f'"{query}"}}'),
        )
    ),
    RemoteResult("toolu_cats", (text("Found cats."),)),
    RemoteResult("toolu_dogs", (text("Found dogs."),)),
    RemoteCall("toolu_mice", "docs", "read", round=1),
    RemoteArguments("toolu_mice", '{"query": "mice"}'),
    ToolCall(0, "toolu_own", "search"),
    ToolArguments(0, "{}"),
    RemoteResult("toolu_mice", (text("Found mice."),)),
    Done("tool_use", Usage()),
]


def collect(*, shows_listings: bool) -> list[Body]:
    collector = Collector("msg_1", shows_listings=shows_listings)
    collector.add(EVENTS)
    content: list[Body] = collector.body()["content"]
    return content


def stream(*, shows_listings: bool) -> list[Body]:
    """Return the content of the streamed answer, put together as a client does it."""
    content: list[Body] = []
    written: dict[int, str] = {}
    for line in StreamEncoder("msg_1", "req_1", shows_listings=shows_listings).encode(EVENTS).splitlines():
        event: Body = json.loads(line[6:]) if line.startswith(b"data: ") else {"type": ""}
        if event["type"] == "content_block_start":
            assert event["index"] == len(content)
            content.append(event["content_block"])
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            written[event["index"]] = written.get(event["index"], "") + (
                delta.get("partial_json") or delta.get("text")
            )
    for index, block in enumerate(content):
        if "input" in block:
            block["input"] = json.loads(written[index])
        elif block["type"] == "text":
            block["text"] = written[index]
    return content


def test_answer_has_a_block_for_each_call_and_result() -> None:
    assert collect(shows_listings=False) == CONTENT
    assert stream(shows_listings=False) == CONTENT


def test_list_of_tools_is_shown_on_request() -> None:
    listing = {"type": "mcp_tool_listing", "mcp_server_name": "docs", "tools": [LISTED]}
    assert collect(shows_listings=True) == [listing, *CONTENT]
    assert stream(shows_listings=True) == [listing, *CONTENT]


def test_calls_of_earlier_answers_are_the_calls_that_the_model_made() -> None:
    returned = {"type": "tool_result", "tool_use_id": "toolu_own", "content": "Mine."}
    parsed = parse([SERVER], messages=[user("Hi"), assistant(CONTENT), user([returned])])
    said = [
        [(block["type"], block.get("name") or block.get("tool_use_id")) for block in message.content]
        for message in parsed.turn.messages[1:]
    ]
    assert said == [
        [("text", None), ("tool_use", "mcp__docs__search"), ("tool_use", "mcp__docs__search")],
        [("tool_result", "toolu_cats"), ("tool_result", "toolu_dogs")],
        [("tool_use", "mcp__docs__read"), ("tool_use", "search")],
        [("tool_result", "toolu_mice"), ("tool_result", "toolu_own")],
    ]
    assert parsed.repaired == ()


def test_call_without_a_result_and_result_without_a_call_are_repaired() -> None:
    cut = [use("search", "cats"), text("Hello."), result("dogs")]
    parsed = parse([SERVER], messages=[user("Hi"), assistant(cut), user("Go on")])
    codes = {repair.code for repair in parsed.repaired}
    assert codes == {"missing-result", "orphan-result"}
