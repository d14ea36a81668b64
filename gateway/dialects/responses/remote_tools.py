"""Read the `mcp` tools of a request.

https://platform.openai.com/docs/guides/tools-connectors-mcp

>>> notes = Notes()
>>> read_servers([{"type": "mcp", "server_label": "docs", "allowed_tools": ["search"]}], notes)[0].allowed_tools
('search',)
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from gateway.dialects.common.field_errors import invalid_field, unsupported_field
from gateway.dialects.common.remote_servers import read_label, read_names, read_token, read_url
from gateway.dialects.common.where import Notes, Where
from gateway.mcp.servers import read_approval
from gateway.remote import ApprovalPolicy, RemoteServer
from gateway.turn import ToolChoice

#: The type of these tools, and of a choice among them.
MCP = "mcp"


def read_servers(tools: Iterable[Any], notes: Notes, items: Iterable[Any] = ()) -> tuple[RemoteServer, ...]:
    """Return the servers that a request asks for. `items` may hold the lists of their tools.

    Raises InvalidRequest and UnsupportedParameter.
    """
    known = {item.get("server_label") for item in items if _is_listing(item)}
    servers: dict[str, RemoteServer] = {}
    for index, tool in enumerate(tools):
        if not is_remote(tool):
            continue
        where = notes.at("tools").item(index)
        server = _read_server(tool, where)
        if server.label in servers:
            raise invalid_field(where.field("server_label"), "Two servers have the same label.")
        servers[server.label] = replace(server, is_known=server.label in known)
    return tuple(servers.values())


def _is_listing(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") == "mcp_list_tools" and not item.get("error")


def is_remote(tool: Any) -> bool:
    """Return True for a tool that stands for a remote MCP server."""
    return isinstance(tool, dict) and tool.get("type") == MCP


def limit_servers(servers: Sequence[RemoteServer], wanted: Any) -> tuple[RemoteServer, ...]:
    """Return the servers and tools that a choice of the kind `allowed_tools` leaves. Raises InvalidRequest.

    >>> docs, notes = RemoteServer("docs"), RemoteServer("notes")
    >>> choice = {"type": "allowed_tools", "tools": [{"type": "mcp", "server_label": "docs", "name": "search"}]}
    >>> [(server.label, server.allowed_tools) for server in limit_servers([docs, notes], choice)]
    [('docs', ('search',))]
    """
    if not servers or not isinstance(wanted, dict) or wanted.get("type") != "allowed_tools":
        return tuple(servers)
    where, allowed = Where("tool_choice"), wanted
    if isinstance(wanted.get("allowed_tools"), dict):
        where, allowed = where.field("allowed_tools"), wanted["allowed_tools"]
    listed = allowed["tools"] if isinstance(allowed.get("tools"), list) else []
    chosen: dict[str, list[str] | None] = {}
    for index, item in enumerate(listed):
        if is_remote(item):
            _add_chosen(chosen, item, servers, where.field("tools").item(index))
    return tuple(_limit(server, chosen[server.label]) for server in servers if server.label in chosen)


def hide_choice(body: dict[str, Any], servers: Sequence[RemoteServer]) -> dict[str, Any]:
    """Return the body without a choice that means a remote tool, which `read_choice` reads."""
    return {**body, "tool_choice": None} if servers and is_remote(body.get("tool_choice")) else body


def read_choice(wanted: Any, servers: Sequence[RemoteServer], choice: ToolChoice) -> ToolChoice:
    """Return the choice of a request, which may force a call of a remote tool. `choice` is that without one."""
    if not servers or not is_remote(wanted):
        return choice
    label, name = _chosen_label(wanted, servers, Where("tool_choice")), wanted.get("name")
    if not isinstance(name, str) or not name:
        return replace(choice, mode="any", server=label)
    return replace(choice, mode="tool", server=label, name=name)


def _chosen_label(choice: dict[str, Any], servers: Sequence[RemoteServer], where: Where) -> str:
    label = choice.get("server_label")
    if label not in {server.label for server in servers}:
        raise invalid_field(where.field("server_label"), "There is no such server in the request.")
    return str(label)


def _add_chosen(
    chosen: dict[str, list[str] | None], item: dict[str, Any], servers: Sequence[RemoteServer], where: Where
) -> None:
    """Add a tool of a server, or without a name all its tools (None)."""
    label, name = _chosen_label(item, servers, where), item.get("name")
    known = chosen.setdefault(label, [])
    if not isinstance(name, str) or not name:
        chosen[label] = None
    elif known is not None:
        known.append(name)


def _limit(server: RemoteServer, names: list[str] | None) -> RemoteServer:
    if names is None:
        return server
    return replace(server, allowed_tools=tuple(name for name in names if server.allows(name)))


def _read_server(tool: dict[str, Any], where: Where) -> RemoteServer:
    if tool.get("connector_id"):
        raise unsupported_field(where.field("connector_id"), "Connectors run at OpenAI. Send a `server_url`.")
    label = read_label(tool.get("server_label"), where.field("server_label"))
    if tool.get("server_description"):
        where.field("server_description").ignore()
    url, given = tool.get("server_url"), tool.get("require_approval")
    try:
        # OpenAI asks for each call by default. The operator decides about the servers of the own list.
        policy = read_approval(given) if given is not None else ApprovalPolicy("always" if url else "never")
    except ValueError as error:
        raise invalid_field(where.field("require_approval"), str(error)) from error
    return RemoteServer(
        label,
        read_url(url, where.field("server_url")),
        _read_headers(tool, where),
        _read_allowed(tool.get("allowed_tools"), where.field("allowed_tools")),
        policy,
        path=str(where),
    )


def _read_headers(tool: dict[str, Any], where: Where) -> dict[str, str]:
    headers = tool.get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise invalid_field(where.field("headers"), "Expected an object of strings.")
    if any(not f"{name}{value}".isprintable() for name, value in headers.items()):
        raise invalid_field(where.field("headers"), "Expected printable characters.")
    return {**headers, **read_token(tool.get("authorization"), where.field("authorization"))}


def _read_allowed(given: Any, where: Where) -> tuple[str, ...] | None:
    """Return the names of the allowed tools: a list, or an object with `tool_names`."""
    if isinstance(given, dict) and given.get("read_only") is not None:
        where.field("read_only").ignore()
    return read_names(given.get("tool_names") if isinstance(given, dict) else given, where)
