"""Read a request's tools, and how the model may use them.

Names are passed on as the client wrote them. A definition may be nested, `{"type": "function", "function": {…}}`, or
flat, as in the deprecated `functions` and in the Responses API. `tool_forms` reads the other kinds of tools.
"""

from collections.abc import Sequence
from typing import Any, Literal

from gateway.dialects.common.field_errors import invalid_field, quote
from gateway.dialects.common.hosted_tools import find_hosted_name, read_hosted_tools, refuse_hosted
from gateway.dialects.common.pauses import pause_between
from gateway.dialects.common.text import repair_text
from gateway.dialects.common.tool_definitions import merge_repeated, read_tool
from gateway.dialects.common.tool_forms import as_functions, offered_name
from gateway.dialects.common.where import Notes, Where
from gateway.errors import InvalidRequest
from gateway.hosted import HostedTool
from gateway.turn import Tool, ToolChoice

Mode = Literal["auto", "any", "none"]

_MODES: dict[str, Mode] = {"none": "none", "auto": "auto", "required": "any", "any": "any"}


#: Tools that the request's messages bring, each with its place.
Added = Sequence[tuple[Any, Where]]


def read_hosted(body: dict[str, Any], notes: Notes) -> tuple[HostedTool, ...]:
    """Return the hosted tools that the request may use, and that its choice allows. Raises InvalidRequest."""
    found = read_hosted_tools(body.get("tools") or (), notes)
    wanted = body.get("tool_choice")
    if not isinstance(wanted, dict) or wanted.get("type") != "allowed_tools":
        return found
    allowed = wanted["allowed_tools"] if isinstance(wanted.get("allowed_tools"), dict) else wanted
    listed = allowed.get("tools")
    names = [find_hosted_name(choice) for choice in listed] if isinstance(listed, list) else []
    return tuple(tool for tool in found if tool.name in names)


def read_tools(
    body: dict[str, Any],
    notes: Notes,
    added: Added = (),
    hosted_tools: Sequence[HostedTool] = (),
    *,
    has_remote: bool = False,
) -> tuple[tuple[Tool, ...], ToolChoice]:
    """Return a request's tools and the choice among them and its `hosted_tools`.

    `added` are further tools, which replace others of the same name. With `has_remote`, remote servers bring tools that
    are not known yet. `notes` takes repairs. Raises InvalidRequest and
    UnsupportedParameter, naming the field. The mode "none" keeps the tools, because the history may hold calls of them.
    """
    tools = _add(_defined(body, notes), added)
    field = "function_call" if body.get("tool_choice") is None else "tool_choice"
    wanted = body.get(field)
    if not tools and not hosted_tools and not has_remote:
        if wanted not in (None, "auto", "none"):
            raise _no_tools(body, field)
        return (), ToolChoice()
    # The deprecated format has room for one call per answer.
    parallel = body.get("parallel_tool_calls") is not False and not is_deprecated(body)
    if isinstance(wanted, dict) and wanted.get("type") == "allowed_tools":
        return _allowed_tools(wanted, tools, parallel, has_others=bool(hosted_tools) or has_remote)
    name = find_hosted_name(wanted)
    if name is not None and name in [tool.name for tool in hosted_tools]:
        return tools, ToolChoice("tool", name, parallel, is_hosted=True)
    return tools, _choice(wanted, field, tools, parallel)


def is_deprecated(body: dict[str, Any]) -> bool:
    """Return True if the client defines its tools as `functions`, and so expects a `function_call`."""
    return bool(body.get("functions")) and not body.get("tools")


def _defined(body: dict[str, Any], notes: Notes) -> tuple[Tool, ...]:
    places = [(tool, notes.at("tools").item(index)) for index, tool in enumerate(body.get("tools") or ())]
    defined = [
        (read_tool(function, where), place)
        for tool, place in pause_between(places)
        for function, where in as_functions(tool, place)
    ]
    for index, function in enumerate(pause_between(body.get("functions") or ())):
        place = notes.at("functions").item(index)
        defined.append((read_tool(function, place), place))
    return merge_repeated(defined)


def _add(tools: tuple[Tool, ...], added: Added) -> tuple[Tool, ...]:
    """Return the tools with those that messages bring. One of an earlier message that is malformed is left out."""
    by_name = {tool.name: tool for tool in tools}
    for tool, place in pause_between(added):
        try:
            found = [read_tool(function, where) for function, where in as_functions(tool, place)]
        except InvalidRequest:
            if not place.is_past:
                raise
            place.repair("item-left-out")
            continue
        by_name |= {tool.name: tool for tool in found}
    return tuple(by_name.values())


def _no_tools(body: dict[str, Any], field: str) -> InvalidRequest:
    """Return the error for a choice among no tools. All of the client's tools may be hosted ones."""
    if body.get("tools"):
        return refuse_hosted(find_hosted_name(body["tools"][0]), field)
    return invalid_field(field, "There are no tools to choose from. Send `tools`, or remove this field.")


def _choice(wanted: Any, field: str, tools: tuple[Tool, ...], parallel: bool) -> ToolChoice:
    if wanted is None:
        return ToolChoice(parallel=parallel)
    if isinstance(wanted, dict):
        return ToolChoice("tool", _chosen_name(wanted, Where(field), field, tools), parallel)
    if isinstance(wanted, str) and wanted in _MODES:
        return ToolChoice(_MODES[wanted], parallel=parallel)
    raise invalid_field(field, "Expected 'none', 'auto', 'required' or an object that names a function.")


def _allowed_tools(
    wanted: dict[str, Any], tools: tuple[Tool, ...], parallel: bool, *, has_others: bool
) -> tuple[tuple[Tool, ...], ToolChoice]:
    where = Where("tool_choice")
    allowed = wanted
    if isinstance(wanted.get("allowed_tools"), dict):
        where, allowed = where.field("allowed_tools"), wanted["allowed_tools"]
    mode, listed = allowed.get("mode", "auto"), allowed.get("tools")
    if mode not in ("auto", "required"):
        raise invalid_field(where.field("mode"), "Expected 'auto' or 'required'.")
    if not isinstance(listed, list) or not listed:
        raise invalid_field(where.field("tools"), "Expected a list of functions.")
    items = [(item, where.field("tools").item(index)) for index, item in enumerate(listed)]
    names = {_chosen_name(item, place, "tool_choice", tools) for item, place in items if not _is_hosted(item)}
    if not names and not has_others and mode == "required":
        raise refuse_hosted(find_hosted_name(listed[0]), where.field("tools"))
    choice = ToolChoice(_MODES[mode], parallel=parallel, is_exclusive=True)
    return tuple(tool for tool in tools if tool.name in names), choice


def _chosen_name(choice: Any, where: Where, field: str, tools: tuple[Tool, ...]) -> str:
    """Return the name of the tool that `choice` refers to. Raises InvalidRequest; an unknown tool blames `field`."""
    if _is_hosted(choice):
        raise refuse_hosted(find_hosted_name(choice), where)
    chosen = _find_chosen(choice) if isinstance(choice, dict) else None
    if not isinstance(chosen, dict) or not isinstance(chosen.get("name"), str):
        raise invalid_field(where, "Expected an object that names a function.")
    name = repair_text(offered_name(chosen["name"], chosen.get("namespace")))
    if name not in {tool.name for tool in tools}:
        raise invalid_field(field, f"There is no tool named {quote(name)} in the request.")
    return name


def _find_chosen(choice: dict[str, Any]) -> Any:
    """Return the object with the name: chat nests it."""
    return choice.get("function") or choice.get("custom") or choice


def _is_hosted(choice: Any) -> bool:
    """Return True if a choice names no tool but a kind of hosted tools, such as `{"type": "web_search"}`."""
    kind = choice.get("type") if isinstance(choice, dict) else None
    return isinstance(kind, str) and kind not in ("function", "custom", "tool")
