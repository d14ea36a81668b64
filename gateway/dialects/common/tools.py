"""Read a request's tools, and how the model may use them.

Names are passed on as the client wrote them. A definition may be nested, `{"type": "function", "function": {…}}`, or
flat, as in the deprecated `functions` and in the Responses API. `tool_forms` reads the other kinds of tools.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from gateway.dialects.common.field_errors import invalid_field, quote, unsupported_field
from gateway.dialects.common.text import is_blank, repair_json, repair_text
from gateway.dialects.common.tool_forms import as_functions, offered_name
from gateway.dialects.common.where import Notes, Where
from gateway.errors import InvalidRequest
from gateway.turn import Tool, ToolChoice

MAX_NAME_LENGTH = 256

Mode = Literal["auto", "any", "none"]

_HOSTED = "Hosted tools run at OpenAI, so nothing can call them here."

_MODES: dict[str, Mode] = {"none": "none", "auto": "auto", "required": "any", "any": "any"}


def read_tools(body: dict[str, Any], notes: Notes) -> tuple[tuple[Tool, ...], ToolChoice]:
    """Return a request's tools and the choice among them.

    `notes` takes repairs. Raises InvalidRequest and UnsupportedParameter, naming the field. The mode "none" keeps the
    tools, because the history may hold calls of them.
    """
    tools = _defined(body, notes)
    field = "function_call" if body.get("tool_choice") is None else "tool_choice"
    wanted = body.get(field)
    if not tools:
        if wanted not in (None, "auto", "none"):
            raise _no_tools(body, field)
        return (), ToolChoice()
    # The deprecated format has room for one call per answer.
    parallel = body.get("parallel_tool_calls") is not False and not is_deprecated(body)
    if isinstance(wanted, dict) and wanted.get("type") == "allowed_tools":
        return _allowed_tools(wanted, tools, parallel)
    return tools, _choice(wanted, field, tools, parallel)


def is_deprecated(body: dict[str, Any]) -> bool:
    """Return True if the client defines its tools as `functions`, and so expects a `function_call`."""
    return bool(body.get("functions")) and not body.get("tools")


def _defined(body: dict[str, Any], notes: Notes) -> tuple[Tool, ...]:
    tools: list[tuple[Tool, Where]] = []
    for index, tool in enumerate(body.get("tools") or ()):
        place = notes.at(f"tools[{index}]")
        tools += [(read_tool(function, where), place) for function, where in as_functions(tool, place)]
    for index, function in enumerate(body.get("functions") or ()):
        place = notes.at(f"functions[{index}]")
        tools.append((read_tool(function, place), place))
    refuse_repeated(tools)
    return tuple(tool for tool, _ in tools)


def refuse_repeated(tools: Iterable[tuple[Tool, Where]]) -> None:
    """Raise InvalidRequest if two tools have the same name. Each comes with its place."""
    seen = set()
    for tool, where in tools:
        if tool.name in seen:
            raise invalid_field(
                where, f"There is another tool named {quote(tool.name)}. Rename or remove one."
            )
        seen.add(tool.name)


def _no_tools(body: dict[str, Any], field: str) -> InvalidRequest:
    """Return the error for a choice among no tools. All of the client's tools may be hosted ones."""
    if body.get("tools"):
        return unsupported_field(field, f"{_HOSTED} Remove this field, or send other tools.")
    return invalid_field(field, "There are no tools to choose from. Send `tools`, or remove this field.")


def read_tool(function: Any, where: Where, schema_field: str = "parameters") -> Tool:
    """Return the tool that the object at `where` defines, with its schema under `schema_field`.

    Raises InvalidRequest.
    """
    if not isinstance(function, dict):
        raise invalid_field(where, f"Expected an object with `name` and `{schema_field}`.")
    name = function.get("name")
    if not isinstance(name, str) or is_blank(name) or len(name) > MAX_NAME_LENGTH:
        raise invalid_field(where.field("name"), f"Expected a name of 1 to {MAX_NAME_LENGTH} characters.")
    description = function.get("description")
    if not isinstance(description, str | None):
        raise invalid_field(where.field("description"), "Expected a string.")
    schema = _schema(function.get(schema_field), where.field(schema_field))
    return Tool(repair_text(name), repair_text(description or ""), schema)


def _schema(schema: Any, where: Where) -> dict[str, Any]:
    """Return the schema of the parameters, with a type. Go clients send null for empty values, which are dropped."""
    if not isinstance(schema, dict | None):
        raise invalid_field(where, "Expected a JSON schema, which is an object.")
    given = {key: value for key, value in (schema or {}).items() if value is not None}
    if given.get("type", "object") != "object":
        raise invalid_field(where, 'Expected a JSON schema of type "object".')
    complete: dict[str, Any] = repair_json({"type": "object", "properties": {}} | given, where)
    return complete


def _choice(wanted: Any, field: str, tools: tuple[Tool, ...], parallel: bool) -> ToolChoice:
    if wanted is None:
        return ToolChoice(parallel=parallel)
    if isinstance(wanted, dict):
        return ToolChoice("tool", _chosen_name(wanted, Where(field), field, tools), parallel)
    if isinstance(wanted, str) and wanted in _MODES:
        return ToolChoice(_MODES[wanted], parallel=parallel)
    raise invalid_field(field, "Expected 'none', 'auto', 'required' or an object that names a function.")


def _allowed_tools(
    wanted: dict[str, Any], tools: tuple[Tool, ...], parallel: bool
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
    if not names and mode == "required":
        raise unsupported_field(where.field("tools"), f"{_HOSTED} Allow other tools.")
    return tuple(tool for tool in tools if tool.name in names), ToolChoice(_MODES[mode], parallel=parallel)


def _chosen_name(choice: Any, where: Where, field: str, tools: tuple[Tool, ...]) -> str:
    """Return the name of the tool that `choice` refers to. Raises InvalidRequest; an unknown tool blames `field`."""
    if _is_hosted(choice):
        problem = f"Tools of type {quote(choice['type'])} run at OpenAI, so nothing can call them here."
        raise unsupported_field(where, f"{problem} Choose another tool.")
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
