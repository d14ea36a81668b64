"""Read the tools of a request, and how the model may use them.

A request gets the tools that run at Anthropic if its key may use them (see `common.hosted_tools`). Otherwise they are
left out and named: a client that offers them beside its own tools works without them. Tools that the client runs
itself, but whose definition only the API knows, are refused.
https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-reference
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from gateway.dialects.common.field_errors import invalid_field, quote, unsupported_field
from gateway.dialects.common.hosted_tools import find_hosted_name, is_allowed, refuse_hosted
from gateway.dialects.common.pauses import pause_between
from gateway.dialects.common.tool_definitions import merge_repeated, read_tool
from gateway.dialects.common.where import Notes, Where
from gateway.dialects.messages.remote_tools import TOOLSET, choose_remote
from gateway.hosted import HostedTool
from gateway.remote import RemoteServer
from gateway.turn import Tool, ToolChoice

_TOOL_SEARCH = "tool_search_tool_"
_SERVER_TOOLS = (_TOOL_SEARCH, "web_search_", "web_fetch_", "code_execution_", "advisor_", TOOLSET)

_CHOICES: Mapping[Any, Literal["auto", "any", "none"]] = {"auto": "auto", "any": "any", "none": "none"}


def read_tools(given: list[dict[str, Any]], notes: Notes) -> tuple[Tool, ...]:
    """Return the client's tools. Raises InvalidRequest and UnsupportedParameter, naming the field."""
    own: list[tuple[dict[str, Any], Where]] = []
    for index, tool in enumerate(given):
        where = notes.at("tools").item(index)
        if is_server_tool(tool):
            if tool["type"] != TOOLSET and not is_allowed(tool, notes):
                where.ignore()
            continue
        if tool.get("type") not in (None, "custom"):
            problem = f"Tools of type {quote(tool['type'])} are not supported; only custom tools are. Remove {where}."
            raise unsupported_field(where.field("type"), problem)
        own.append((tool, where))
    tools = merge_repeated(
        (read_tool(tool, where, "input_schema"), where) for tool, where in pause_between(own)
    )
    if any(str(tool.get("type")).startswith(_TOOL_SEARCH) for tool in given):
        return _load_all(tools, notes)
    return tools


def is_server_tool(tool: dict[str, Any]) -> bool:
    """Return True for a tool that runs at Anthropic."""
    return str(tool.get("type")).startswith(_SERVER_TOOLS)


def read_choice(
    wanted: dict[str, Any],
    given: list[dict[str, Any]],
    tools: tuple[Tool, ...],
    hosted_tools: tuple[HostedTool, ...] = (),
    servers: tuple[RemoteServer, ...] = (),
) -> ToolChoice:
    """Return the choice among the tools, which were read from `given`, and the tools of the remote `servers`.

    Raises as `read_tools` does.
    """
    kind = wanted.get("type", "auto")
    if kind not in (*_CHOICES, "tool"):
        raise invalid_field("tool_choice.type", "Expected 'auto', 'any', 'tool' or 'none'.")
    name, parallel = wanted.get("name"), wanted.get("disable_parallel_tool_use") is not True
    if kind == "tool" and name in [tool.name for tool in hosted_tools]:
        return ToolChoice("tool", name, parallel, is_hosted=True)
    for tool in given:
        if kind == "tool" and is_server_tool(tool) and tool.get("name") == name:
            raise refuse_hosted(find_hosted_name(tool), "tool_choice.name")
    if not tools and not hosted_tools and not servers:
        return _choose_none(kind, given)
    if kind != "tool":
        return ToolChoice(_CHOICES[kind], parallel=parallel)
    if name not in [tool.name for tool in tools]:
        if servers:
            return choose_remote(name, servers, parallel=parallel)
        raise invalid_field("tool_choice.name", f"There is no tool named {quote(name)} in the request.")
    return ToolChoice("tool", name, parallel)


def _choose_none(kind: str, given: list[dict[str, Any]]) -> ToolChoice:
    if kind not in ("any", "tool"):
        return ToolChoice()
    if given:
        raise refuse_hosted(find_hosted_name(given[0]), "tool_choice")
    raise invalid_field(
        "tool_choice", "There are no tools to choose from. Send `tools`, or remove this field."
    )


def _load_all(tools: tuple[Tool, ...], notes: Notes) -> tuple[Tool, ...]:
    """Return the tools without `defer_loading`: the search that would load them is left out."""
    if not any("defer_loading" in tool.options for tool in tools):
        return tools
    notes.ignore("tools.defer_loading")
    return tuple(
        replace(tool, options={key: value for key, value in tool.options.items() if key != "defer_loading"})
        for tool in tools
    )
