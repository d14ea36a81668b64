"""Read the MCP servers of a request, and which of their tools the model gets.

The field `mcp_servers` says where the servers are, and an entry `mcp_toolset` in `tools` which of their tools to offer.
The older form has a `tool_configuration` in the server instead.

>>> body = {"mcp_servers": [{"type": "url", "name": "docs", "url": "https://mcp.example.com/mcp"}], "tools": [
...     {"type": "mcp_toolset", "mcp_server_name": "docs", "configs": {"delete": {"enabled": False}}}]}
>>> (server,) = read_servers(body, Notes())
>>> server.allows("search"), server.allows("delete")
(True, False)

https://platform.claude.com/docs/en/agents-and-tools/mcp-connector
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.approvals import name_call
from gateway.dialects.common.field_errors import invalid_field, quote
from gateway.dialects.common.json_types import Body
from gateway.dialects.common.remote_servers import read_label, read_names, read_token, read_url
from gateway.dialects.common.where import Notes, Where
from gateway.remote import RemoteServer
from gateway.turn import ToolChoice

#: The type of the entries of `tools` that configure the tools of a server.
TOOLSET = "mcp_toolset"
#: The type of the blocks with the list of a server's tools.
LISTING = "mcp_tool_listing"
#: The beta with which answers have such blocks.
LISTING_BETA = "mcp-client-2026-09-15"

_SERVER_FIELDS = frozenset({"type", "name", "url", "authorization_token", "tool_configuration"})
_TOOLSET_FIELDS = frozenset(
    {"type", "mcp_server_name", "default_config", "configs", "cache_control", "tools"}
)
_SWITCHES = frozenset({"enabled"})

#: The entries of `tools` that configure servers, with their places, by the names of the servers.
Toolsets = Mapping[str, tuple[Body, Where]]


def read_servers(body: Body, notes: Notes) -> tuple[RemoteServer, ...]:
    """Return the servers that a request asks for, with the tools that it enables. Raises InvalidRequest."""
    toolsets = _find_toolsets(body.get("tools") or (), notes)
    given = body.get("mcp_servers") or ()
    if not given and not toolsets:
        return ()
    listings = _find_listings(body.get("messages") or ())
    servers: dict[str, RemoteServer] = {}
    for index, definition in enumerate(given):
        where = notes.at("mcp_servers").item(index)
        server = _read_server(definition, where)
        if server.label in servers:
            raise invalid_field(where.field("name"), "Two servers have the same name.")
        if server.label in listings:
            server = replace(server, tools=listings[server.label], is_known=True)
        servers[server.label] = _configure(server, toolsets, where)
    for label, (_, where) in toolsets.items():
        if label not in servers:
            problem = f"There is no server named {quote(label)} in `mcp_servers`."
            raise invalid_field(where.field("mcp_server_name"), problem)
    return tuple(server for server in servers.values() if server.allowed_tools != ())


def choose_remote(name: Any, servers: Sequence[RemoteServer], *, parallel: bool) -> ToolChoice:
    """Return the choice of a remote tool, by its own name or the model's name for it, `mcp__SERVER__TOOL`.

    Raises InvalidRequest.
    """
    choice = ToolChoice("tool", str(name), parallel)
    for server in servers:
        prefix = name_call(server.label, "")
        if choice.name is not None and choice.name.startswith(prefix):
            return replace(choice, server=server.label, name=choice.name.removeprefix(prefix))
    if len(servers) > 1:
        raise invalid_field("tool_choice.name", "Name the tool of a server as `mcp__SERVER__TOOL`.")
    return replace(choice, server=servers[0].label)


def _find_toolsets(tools: Iterable[Any], notes: Notes) -> Toolsets:
    found: dict[str, tuple[Body, Where]] = {}
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict) or tool.get("type") != TOOLSET:
            continue
        where = notes.at("tools").item(index)
        label = read_label(tool.get("mcp_server_name"), where.field("mcp_server_name"))
        if label in found:
            raise invalid_field(where.field("mcp_server_name"), "Two toolsets name the same server.")
        found[label] = (tool, where)
    return found


def _find_listings(messages: Iterable[Any]) -> dict[str, tuple[Body, ...]]:
    """Return the lists of tools in earlier answers, by the names of their servers. The newest counts."""
    return {
        str(part.get("mcp_server_name")): _as_listing(part["tools"])
        for message in messages
        if message.get("role") == "assistant" and isinstance(message.get("content"), list)
        for part in message["content"]
        if isinstance(part, dict) and part.get("type") == LISTING and _are_tools(part.get("tools"))
    }


def _read_server(given: Any, where: Where) -> RemoteServer:
    if given.get("type") not in (None, "url"):
        raise invalid_field(where.field("type"), "Expected 'url'.")
    _name_ignored(given, _SERVER_FIELDS, where)
    return RemoteServer(
        read_label(given.get("name"), where.field("name")),
        read_url(given.get("url"), where.field("url")),
        read_token(given.get("authorization_token"), where.field("authorization_token")),
        _read_configuration(given.get("tool_configuration"), where.field("tool_configuration")),
        path=str(where),
        label_field="name",
        url_field="url",
    )


def _read_configuration(given: Any, where: Where) -> tuple[str, ...] | None:
    """Return the tools that the older form allows."""
    if given is None:
        return None
    if not isinstance(given, dict):
        raise invalid_field(where, "Expected an object.")
    _name_ignored(given, {*_SWITCHES, "allowed_tools"}, where)
    allowed = read_names(given.get("allowed_tools"), where.field("allowed_tools"))
    return () if given.get("enabled") is False else allowed


def _configure(server: RemoteServer, toolsets: Toolsets, where: Where) -> RemoteServer:
    """Return the server with the tools that its toolset enables. All of them are enabled without a toolset."""
    if server.label not in toolsets:
        if toolsets:
            raise invalid_field(
                where.field("name"), "No `mcp_toolset` in `tools` names this server. Add one."
            )
        return server
    toolset, place = toolsets[server.label]
    _name_ignored(toolset, _TOOLSET_FIELDS, place)
    by_default = _is_enabled(toolset.get("default_config"), place.field("default_config"), by_default=True)
    configs = toolset.get("configs") or {}
    if not isinstance(configs, dict):
        raise invalid_field(place.field("configs"), "Expected an object.")
    enabled = {
        name: _is_enabled(config, place.field("configs").field(name), by_default=by_default)
        for name, config in configs.items()
    }
    allowed = server.allowed_tools
    if not by_default:
        chosen = tuple(name for name, is_enabled in enabled.items() if is_enabled)
        allowed = chosen if allowed is None else tuple(name for name in chosen if name in allowed)
    denied = frozenset(name for name, is_enabled in enabled.items() if not is_enabled)
    pinned = toolset.get("tools")
    if pinned is not None and not _are_tools(pinned):
        raise invalid_field(place.field("tools"), "Expected the tools of an `mcp_tool_listing` block.")
    tools = server.tools if pinned is None else _as_listing(pinned)
    return replace(server, allowed_tools=allowed, denied_tools=denied, tools=tools)


def _is_enabled(config: Any, where: Where, *, by_default: bool) -> bool:
    """Return True if a configuration enables its tools. No tool is loaded later: there is no search for tools here."""
    if config is None:
        return by_default
    if not isinstance(config, dict):
        raise invalid_field(where, "Expected an object.")
    _name_ignored(config, _SWITCHES, where)
    enabled = config.get("enabled")
    return enabled if isinstance(enabled, bool) else by_default


def _name_ignored(given: Body, honored: Iterable[str], where: Where) -> None:
    for name in _asking(given):
        if name not in honored:
            where.field(name).ignore()


def _asking(given: Body) -> Iterator[str]:
    """Yield the names of the fields that ask for something."""
    return (name for name, value in given.items() if value not in (None, False))


def _are_tools(given: Any) -> bool:
    return isinstance(given, list) and all(
        isinstance(tool, dict) and isinstance(tool.get("name"), str) and tool["name"] for tool in given
    )


def _as_listing(tools: Iterable[Body]) -> tuple[Body, ...]:
    """Return tools in the form of MCP, which calls the schema `inputSchema`."""
    return tuple(
        {**{name: value for name, value in tool.items() if name != "input_schema"}, "inputSchema": schema}
        for tool, schema in ((tool, tool.get("input_schema")) for tool in tools)
    )
