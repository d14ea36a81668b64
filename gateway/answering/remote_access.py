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
from gateway.turn import Block, Tool, ToolChoice, Turn


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
        constant = [] if _names_all_tools(turn) else self._servers.find_constant(names)
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
        if not turn.takes_approvals or caller.is_batch:
            toolbox.withhold_unapproved()
        return replace(
            turn,
            tools=(*turn.tools, *map(_as_tool, toolbox.tools)),
            tool_choice=_resolve_choice(turn.tool_choice, toolbox.tools),
            toolbox=toolbox,
            remote_servers=tuple(servers),
        )


def _names_all_tools(turn: Turn) -> bool:
    """Return True if the model may or must call only the tools that the request itself names."""
    return turn.tool_choice.is_exclusive or turn.tool_choice.mode == "any"


def _resolve_choice(choice: ToolChoice, offered: Sequence[OfferedTool]) -> ToolChoice:
    """Return the choice with the model's name for a remote tool. Raises InvalidRequest if there is no such tool."""
    if choice.server is None:
        return choice
    found = [
        tool
        for tool in offered
        if tool.server.label == choice.server and choice.name in (None, tool.own_name)
    ]
    if not found:
        raise InvalidRequest(
            f"Invalid 'tool_choice': The MCP server '{choice.server}' offers no such tool.",
            param="tool_choice",
        )
    if len(found) > 1:
        return choice
    return replace(choice, mode="tool", name=found[0].name, server=None)


def _find_server(wanted: RemoteServer, servers: McpServers, names: Sequence[str | None]) -> RemoteServer:
    if not wanted.url:
        listed, field = servers.find(wanted.label, names), f"{wanted.path}.{wanted.label_field}"
        if listed is None:
            raise InvalidRequest(
                f"Invalid '{field}': This key can use no MCP server '{wanted.label}'. Ask the operator of this "
                f"gateway, or send a `{wanted.url_field}`.",
                param=field,
            )
        return restrict(listed, wanted)
    listed, field = servers.find_by_url(wanted.url, names), f"{wanted.path}.{wanted.url_field}"
    if listed is not None:
        return restrict(listed, wanted)
    if not servers.allows_any:
        raise InvalidRequest(
            f"Invalid '{field}': This gateway only uses the MCP servers of its operator's list, and this one is not "
            "in it, or not for this key.",
            param=field,
        )
    return wanted


def _require_listed(toolbox: Toolbox, wanted: Sequence[RemoteServer]) -> None:
    paths = {server.label: server.path for server in wanted}
    for listing in toolbox.listings:
        if listing.error and listing.server in paths:
            raise McpServerFailed(
                f"Invalid '{paths[listing.server]}': The tools of the MCP server '{listing.server}' cannot be "
                f"listed, because {listing.error}.",
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
