"""The MCP servers of a turn: those that its client may use, with their tools."""

from collections.abc import Sequence
from dataclasses import replace

from gateway.answering.caller import Caller
from gateway.dialects.common.media import image_block
from gateway.dialects.common.where import Where
from gateway.errors import InvalidRequest, McpServerFailed, UnsupportedParameter
from gateway.mcp.servers import McpServers, load_servers, restrict
from gateway.mcp.toolbox import Limits, OfferedTool, Toolbox, ToolLists
from gateway.remote import RemoteServer
from gateway.settings import Settings
from gateway.turn import Block, Tool, Turn


class RemoteAccess:
    """The operator's MCP servers, and the lists of their tools that were read lately. Raises SettingsError."""

    def __init__(self, settings: Settings) -> None:
        self._servers = load_servers(
            settings.mcp_config_path, settings.environ, allows_any=settings.mcp_allow_any_server
        )
        self._limits = Limits(
            settings.mcp_timeout_seconds, settings.mcp_max_result_characters, settings.mcp_max_calls
        )
        self._lists = ToolLists()

    def equip(self, turn: Turn, caller: Caller) -> Turn:
        """Return the turn with the remote tools that its model may call.

        Raises InvalidRequest for a server that the client may not use, and McpServerFailed if one that it asks for does
        not answer. A server that its key gets on every request may fail: the turn does without it.
        """
        names = (caller.key_id, caller.key_name)
        constant = self._servers.find_constant(names)
        if not turn.remote_servers and not constant:
            return turn
        if turn.agent_workspace is not None:
            _refuse_in_agents(turn)
            return turn
        wanted = [_find_server(server, self._servers, names) for server in turn.remote_servers]
        labels = {server.label for server in wanted}
        servers = [*wanted, *(server for server in constant if server.label not in labels)]
        taken = [tool.name for tool in turn.tools]
        toolbox = Toolbox(servers, self._limits, _read_image, taken, self._lists)
        toolbox.open()
        _require_listed(toolbox, wanted)
        can_ask = turn.takes_approvals and not caller.is_batch
        offered = [tool for tool in toolbox.tools if can_ask or not tool.needs_approval]
        return replace(
            turn, tools=(*turn.tools, *map(_as_tool, offered)), toolbox=toolbox, remote_servers=tuple(servers)
        )


def _find_server(wanted: RemoteServer, servers: McpServers, names: Sequence[str | None]) -> RemoteServer:
    if not wanted.url:
        listed = servers.find(wanted.label, names)
        if listed is None:
            raise InvalidRequest(
                f"Invalid '{wanted.path}.server_label': This key can use no MCP server '{wanted.label}'. Ask the "
                "operator of this gateway, or send a `server_url`.",
                param=f"{wanted.path}.server_label",
            )
        return restrict(listed, wanted)
    listed = servers.find_by_url(wanted.url, names)
    if listed is not None:
        return restrict(listed, wanted)
    if not servers.allows_any:
        raise InvalidRequest(
            f"Invalid '{wanted.path}.server_url': This gateway only uses the MCP servers of its operator's list, and "
            "this one is not in it, or not for this key.",
            param=f"{wanted.path}.server_url",
        )
    return wanted


def _require_listed(toolbox: Toolbox, wanted: Sequence[RemoteServer]) -> None:
    paths = {server.label: server.path for server in wanted}
    for listing in toolbox.listings:
        if listing.error and listing.server in paths:
            raise McpServerFailed(
                f"The tools of the MCP server '{listing.server}' cannot be listed, because {listing.error}.",
                param=paths[listing.server],
            )


def _refuse_in_agents(turn: Turn) -> None:
    if turn.remote_servers:
        raise UnsupportedParameter(
            "Remote MCP servers cannot be used in a project whose policy is 'agent'.", param="tools"
        )


def _as_tool(tool: OfferedTool) -> Tool:
    return Tool(tool.name, tool.description, tool.schema.schema, mapping=tool.schema.mapping)


def _read_image(data: str, media_type: str) -> Block:
    """Return an image of a result, scaled if necessary; text if it cannot be read."""
    source = {"type": "base64", "data": data, "media_type": media_type}
    try:
        block = image_block({"source": source}, Where("result"))
    except InvalidRequest:
        block = None
    return block or {"type": "text", "text": "[image left out]"}
