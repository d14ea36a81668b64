"""MCP servers that break the rules: they can spoil their own answers, and nothing else."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.mcp.session import MAX_BYTES
from gateway.mcp.toolbox import Limits, Toolbox
from gateway.remote import RemoteServer
from tests.support.mcp_server import SEARCH, McpServer, running_server
from tests.support.recorded import Body

SECRET = "s3cr3t-of-the-docs"
IMAGE: Body = {"type": "text", "text": "[image left out]"}


@pytest.fixture
def server() -> Iterator[McpServer]:
    with running_server() as server:
        yield server


def opened(server: McpServer) -> Toolbox:
    """Return the tools of the server, which gets a secret."""
    listed = RemoteServer("docs", server.url, {"Authorization": f"Bearer {SECRET}"}, is_listed=True)
    toolbox = Toolbox([listed], Limits(5, 1000), lambda data, kind: IMAGE)
    toolbox.open()
    return toolbox


def message(**fields: Any) -> Callable[[Any], bytes]:
    return lambda call_id: json.dumps({"jsonrpc": "2.0", "id": call_id, **fields}).encode()


RAW: dict[str, tuple[Callable[[Any], bytes], str]] = {
    "no JSON": (lambda call_id: b"<html>", "is not JSON"),
    "nothing": (lambda call_id: b"", "is not JSON"),
    "a list": (lambda call_id: b"[1]", "did not answer"),
    "deep nesting": (lambda call_id: b"[" * 100_000, "is not JSON"),
    "half of a pair in deep nesting": (
        lambda call_id: b"[" * 900 + rb'"\ud800"' + b"]" * 900,
        "is not JSON|did not",
    ),
    "another id": (lambda call_id: message(result={})("other"), "did not answer"),
    "a request of its own": (message(method="sampling/createMessage", params={}), "did not answer"),
    "too much": (lambda call_id: b" " * (MAX_BYTES + 1), "larger than 16 MB"),
    "an error with the secret": (message(error={"message": f"Bad {SECRET}"}), r"Bad \[secret\]"),
}


@pytest.mark.parametrize(("answer", "reason"), RAW.values(), ids=RAW)
def test_answer_against_the_rules_is_a_failure_with_a_reason(
    server: McpServer, answer: Callable[[Any], bytes], reason: str
) -> None:
    server.raw["tools/list"] = answer
    toolbox = opened(server)
    (listing,) = toolbox.listings
    assert re.search(reason, listing.error), listing.error
    assert SECRET not in listing.error
    assert toolbox.tools == []


def test_requests_of_the_server_are_not_answered(server: McpServer) -> None:
    asks = message(method="sampling/createMessage", params={"messages": []})
    lists = message(result={"tools": [SEARCH]})
    server.streams = True
    server.raw["tools/list"] = lambda call_id: b"data: %b\n\ndata: %b\n\n" % (asks(call_id), lists(call_id))
    server.raw["initialize"] = lambda call_id: b"data: %b\n\n" % message(result={})(call_id)
    assert [tool.own_name for tool in opened(server).tools] == ["search"]
    assert server.methods == ["initialize", "notifications/initialized", "tools/list"]


def test_malformed_tools_are_repaired_or_left_out(server: McpServer) -> None:
    deep: Body = {}
    for _ in range(150):
        deep = {"type": "object", "properties": {"a": deep}}
    server.tools = [
        {"name": "", "inputSchema": {}},
        {"name": 5},
        SEARCH,
        SEARCH,
        {"name": "a b\nc", "description": ["x"], "inputSchema": None},
        {"name": "half \ud800", "description": f"half \ud800, {SECRET}", "inputSchema": {"type": "any"}},
        {"name": "__proto__", "inputSchema": deep},
    ]
    tools = opened(server).tools
    assert [tool.own_name for tool in tools] == [
        "search", "search", "a b\nc", "half \N{REPLACEMENT CHARACTER}", "__proto__",
    ]  # fmt: skip
    assert len({tool.name for tool in tools}) == len(tools)
    assert tools[3].description == "half \N{REPLACEMENT CHARACTER}, [secret]"
    assert all(tool.schema.schema["type"] == "object" for tool in tools)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({}, "(The tool returned nothing.)"),
        ({"content": "text"}, "(The tool returned nothing.)"),
        ({"content": [], "structuredContent": {"cats": 2}}, '{"cats":2}'),
        ({"content": [{"type": "text", "text": "half \ud83d"}]}, "half \N{REPLACEMENT CHARACTER}"),
        ({"content": [{"type": "text", "text": f"It is {SECRET}."}]}, "It is [secret]."),
        (
            {"content": [5, {"type": "text"}, {"type": ["x"]}, {"type": "audio"}]},
            "[['x'] left out]\n[audio left out]",
        ),
        ({"content": [{"type": "resource", "resource": {"text": SECRET}}]}, "[secret]"),
        ({"content": [{"type": "text", "text": "x" * 1001}]}, "x" * 1000 + "\n[1 characters left out]"),
    ],
)
def test_result_becomes_text_for_the_model(server: McpServer, result: Body, expected: str) -> None:
    server.answers["search"] = lambda arguments: result
    assert opened(server).call("toolu_1", "mcp__docs__search", {}).text == expected
