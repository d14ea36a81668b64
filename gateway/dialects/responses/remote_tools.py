"""Read the `mcp` tools of a request.

https://platform.openai.com/docs/guides/tools-connectors-mcp

>>> notes = Notes()
>>> read_servers([{"type": "mcp", "server_label": "docs", "allowed_tools": ["search"]}], notes)[0].allowed_tools
('search',)
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from gateway.approvals import name_call
from gateway.dialects.common.field_errors import invalid_field, unsupported_field
from gateway.dialects.common.where import Notes, Where
from gateway.mcp.servers import LABEL, check_url, read_approval
from gateway.remote import ApprovalPolicy, RemoteServer
from gateway.turn import ToolChoice

#: The type of these tools, and of a choice among them.
MCP = "mcp"
_FORCED = ("required", "any")


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


def hide_choice(body: dict[str, Any], servers: Sequence[RemoteServer]) -> dict[str, Any]:
    """Return the body without a choice that may mean a remote tool, which `read_choice` reads."""
    wanted = body.get("tool_choice")
    if servers and (is_remote(wanted) or wanted in _FORCED):
        return {**body, "tool_choice": None}
    return body


def read_choice(wanted: Any, servers: Sequence[RemoteServer], choice: ToolChoice) -> ToolChoice:
    """Return the choice of a request, which may force a call of a remote tool. `choice` is that without one.

    A choice of a server without a tool's name forces a call of any tool: the API knows no choice of several.
    """
    if servers and wanted in _FORCED:
        return replace(choice, mode="any")
    if not servers or not is_remote(wanted):
        return choice
    label, name = wanted.get("server_label"), wanted.get("name")
    if label not in {server.label for server in servers}:
        raise invalid_field("tool_choice.server_label", "There is no such server in the request.")
    if not isinstance(name, str) or not name:
        return replace(choice, mode="any")
    return replace(choice, mode="tool", name=name_call(str(label), name))


def _read_server(tool: dict[str, Any], where: Where) -> RemoteServer:
    if tool.get("connector_id"):
        raise unsupported_field(where.field("connector_id"), "Connectors run at OpenAI. Send a `server_url`.")
    label = tool.get("server_label")
    if not isinstance(label, str) or not LABEL.fullmatch(label):
        raise invalid_field(where.field("server_label"), "Expected a label of letters, digits, '_' and '-'.")
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
        _read_url(url, where),
        _read_headers(tool, where),
        _read_allowed(tool.get("allowed_tools"), where.field("allowed_tools")),
        policy,
        path=str(where),
    )


def _read_url(url: Any, where: Where) -> str:
    if url is None:
        return ""
    try:
        return check_url(url)
    except ValueError as error:
        raise invalid_field(where.field("server_url"), str(error)) from error


def _read_headers(tool: dict[str, Any], where: Where) -> dict[str, str]:
    headers = tool.get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise invalid_field(where.field("headers"), "Expected an object of strings.")
    if any(not f"{name}{value}".isprintable() for name, value in headers.items()):
        raise invalid_field(where.field("headers"), "Expected printable characters.")
    token = tool.get("authorization")
    if token is None:
        return headers
    if not isinstance(token, str) or not token.isprintable():
        raise invalid_field(where.field("authorization"), "Expected an access token.")
    return {**headers, "Authorization": f"Bearer {token.removeprefix('Bearer ')}"}


def _read_allowed(given: Any, where: Where) -> tuple[str, ...] | None:
    """Return the names of the allowed tools: a list, or an object with `tool_names`."""
    if isinstance(given, dict) and given.get("read_only") is not None:
        where.field("read_only").ignore()
    names = given.get("tool_names") if isinstance(given, dict) else given
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise invalid_field(where, "Expected a list of the names of tools.")
    return tuple(names)
