"""The MCP servers that a client may use: the operator's list, its keys, and its policy."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.answering.caller import Caller, Identity
from gateway.answering.remote_access import RemoteAccess
from gateway.errors import InvalidRequest, McpServerFailed
from gateway.mcp.servers import load_servers, read_approval, restrict
from gateway.remote import RemoteServer
from gateway.settings import Settings, SettingsError
from gateway.turn import Message, ToolChoice, Turn
from tests.support.mcp_server import SEARCH, McpServer, running_server

SECRET = "s3cr3t-token"


def caller(name: str) -> Caller:
    return Caller(Identity(f"key_{name}", name), f"key_{name}", "203.0.113.7", "curl", "req_1")


def turn(*servers: RemoteServer) -> Turn:
    return Turn((Message("user", ({"type": "text", "text": "Hi"},)),), remote_servers=servers)


def access(tmp_path: Path, server: McpServer, **fields: Any) -> RemoteAccess:
    path = tmp_path / "mcp.json"
    listed = {"url": server.url, "headers": {"Authorization": "Bearer ${TOKEN}"}, **fields}
    path.write_text(json.dumps({"servers": {"docs": listed}}))
    return RemoteAccess(Settings(mcp_config_path=path, environ={"TOKEN": SECRET}))


def test_only_listed_keys_get_a_server(tmp_path: Path) -> None:
    with running_server() as server:
        found = access(tmp_path, server, keys=["team"], on_every_request=True)
        equipped = found.equip(turn(), caller("team"))
        assert [tool.name for tool in equipped.tools] == ["mcp__docs__search"]
        assert SECRET not in repr(equipped)
        assert found.equip(turn(), caller("other")) == turn()
        with pytest.raises(InvalidRequest):
            found.equip(turn(RemoteServer("docs")), caller("other"))
        with pytest.raises(InvalidRequest):
            found.equip(turn(RemoteServer("mine", server.url)), caller("other"))


def test_tools_that_need_approval_are_offered_only_where_a_client_can_be_asked(tmp_path: Path) -> None:
    with running_server() as server:
        found = access(tmp_path, server, require_approval="always", on_every_request=True)
        assert found.equip(turn(), caller("team")).tools == ()


@pytest.mark.parametrize("choice", [ToolChoice("any"), ToolChoice(is_exclusive=True)])
def test_request_that_names_its_tools_gets_no_others(tmp_path: Path, choice: ToolChoice) -> None:
    with running_server() as server:
        found = access(tmp_path, server, on_every_request=True)
        assert found.equip(replace(turn(), tool_choice=choice), caller("team")).tools == ()
        asked = found.equip(replace(turn(RemoteServer("docs")), tool_choice=choice), caller("team"))
        assert [tool.name for tool in asked.tools] == ["mcp__docs__search"]


@pytest.mark.parametrize(
    ("name", "tools", "expected"),
    [
        ("search", ["search", "read"], ToolChoice("tool", "mcp__docs__search")),
        (None, ["search"], ToolChoice("tool", "mcp__docs__search")),
        (None, ["search", "read"], ToolChoice("any", server="docs")),
        ("delete", ["search"], None),
        (None, [], None),
    ],
)
def test_choice_of_a_server_becomes_a_choice_that_the_api_has(
    tmp_path: Path, name: str | None, tools: list[str], expected: ToolChoice | None
) -> None:
    with running_server() as server:
        server.tools = [{**SEARCH, "name": tool} for tool in tools]
        choice = ToolChoice("tool" if name else "any", name, server="docs")
        forced, found = replace(turn(RemoteServer("docs")), tool_choice=choice), access(tmp_path, server)
        if expected is None:
            with pytest.raises(InvalidRequest, match="'docs' offers no such tool"):
                found.equip(forced, caller("team"))
        else:
            assert found.equip(forced, caller("team")).tool_choice == expected


def test_broken_server_fails_only_the_requests_that_ask_for_it(tmp_path: Path) -> None:
    with running_server() as server:
        server.status = 500
        found = access(tmp_path, server, on_every_request=True)
        assert found.equip(turn(), caller("team")).tools == ()
        with pytest.raises(McpServerFailed, match="HTTP status 500"):
            found.equip(turn(RemoteServer("docs", path="tools[0]")), caller("team"))


def test_private_server_is_refused_if_clients_may_name_any() -> None:
    with running_server() as server:
        found = RemoteAccess(Settings(mcp_allow_any_server=True))
        with pytest.raises(McpServerFailed, match="not public"):
            found.equip(turn(RemoteServer("mine", server.url, path="tools[0]")), caller("team"))
        assert server.methods == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "'servers' is missing"),
        ({"servers": {"a b": {"url": "https://x/"}}}, "a b: Expected a label"),
        ({"servers": {"a": {"url": "ftp://x/"}}}, "Expected a URL"),
        ({"servers": {"a": {"url": "https://x/", "header": {}}}}, "a: Unknown field header"),
        ({"servers": {"a": {"url": "https://x/", "headers": {"A": "${NOT_SET}"}}}}, "NOT_SET is not set"),
    ],
)
def test_mistakes_in_the_list_are_explained(tmp_path: Path, given: Any, problem: str) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps(given))
    with pytest.raises(SettingsError, match=problem):
        load_servers(path, {}, allows_any=False)


@pytest.mark.parametrize(
    ("operator", "client", "asks"),
    [
        ("never", "always", ["search", "delete"]),
        ("always", "never", ["search", "delete"]),
        ({"never": ["search"]}, "never", ["delete"]),
        ({"never": ["search"]}, {"never": ["search", "delete"]}, ["delete"]),
        ({"always": ["delete"]}, "never", ["delete"]),
    ],
)
def test_client_can_only_make_the_policy_stricter(operator: Any, client: Any, asks: list[str]) -> None:
    listed = RemoteServer("docs", approval=read_approval(operator), allowed_tools=("search", "delete"))
    wanted = RemoteServer("docs", approval=read_approval(client), allowed_tools=("delete", "drop", "search"))
    server = restrict(listed, wanted)
    assert server.allowed_tools == ("delete", "search")
    assert [name for name in ("search", "delete") if server.approval.needs_approval(name)] == asks
