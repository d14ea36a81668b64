"""Connections to MCP servers stay away from the gateway's own network."""

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.mcp.addresses import is_public, open_connection
from gateway.mcp.failures import McpFailure
from gateway.mcp.session import McpSession
from gateway.remote import RemoteServer
from tests.support.mcp_server import running_server


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00:ec2::254", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_only_addresses_of_the_internet_are_public(address: str, expected: bool) -> None:
    assert is_public(address) is expected


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://127.1:1/",
        "http://2130706433:1/",
        "http://0x7f.1:1/",
        "http://[::1]:1/",
        "http://[::ffff:127.0.0.1]:1/",
    ],
)
def test_private_addresses_in_all_spellings_are_rejected(url: str) -> None:
    with pytest.raises(McpFailure, match=r"not public|unknown"):
        open_connection(urlsplit(url), allow_private=False, seconds=1)


def test_name_with_one_private_address_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, 1, 6, "", (address, 80)) for address in ("93.184.215.14", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(McpFailure, match="not public"):
        open_connection(urlsplit("http://example.com/"), allow_private=False, seconds=1)


def test_name_that_changes_after_the_check_has_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["93.184.215.14", "127.0.0.1"])
    connected: list[Any] = []

    def resolve(*_: Any, **__: Any) -> Any:
        return [(socket.AF_INET, 1, 6, "", (next(answers), 80))]

    def connect(address: Any, *_: Any) -> Any:
        connected.append(address)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(McpFailure, match="cannot be reached"):
        open_connection(urlsplit("http://rebind.example/"), allow_private=False, seconds=1)
    assert connected == [("93.184.215.14", 80)]
    with pytest.raises(McpFailure, match="not public"):
        open_connection(urlsplit("http://rebind.example/"), allow_private=False, seconds=1)


@pytest.mark.parametrize("streams", [True, False])
def test_session_lists_and_calls_tools(streams: bool) -> None:
    with running_server() as server:
        server.streams = streams
        listed = RemoteServer("docs", server.url, {"X-Key": "abc", "Host": "evil"}, is_listed=True)
        with McpSession(listed, seconds=5) as session:
            assert [tool["name"] for tool in session.list_tools()] == ["search"]
            result = session.call("search", {"query": "cats"})
        assert result["content"][0]["text"] == "Found cats."
        assert server.methods == ["initialize", "notifications/initialized", "tools/list", "tools/call"]
        assert server.seen[-1]["X-Key"] == "abc"
        assert server.seen[-1]["Mcp-Session-Id"] == "s1"
        assert server.seen[-1]["Host"] != "evil"


def test_redirect_is_not_followed() -> None:
    with running_server() as server, running_server() as other:
        server.status, server.headers = 307, {"Location": other.url}
        listed = RemoteServer("docs", server.url, is_listed=True)
        with McpSession(listed, seconds=5) as session, pytest.raises(McpFailure, match="redirect"):
            session.list_tools()
        assert other.methods == []
