"""Read a request's tools, and how the model may use them.

Names are passed on as the client wrote them. A definition may be nested, `{"type": "function", "function": {…}}`, or
flat, as in the deprecated `functions` and in the Responses API.
"""

from __future__ import annotations

from typing import Any, Literal

from gateway.dialects.common.field_errors import invalid_field, quote, unsupported_field
from gateway.dialects.common.text import is_blank, repair_json, repair_text
from gateway.dialects.common.where import Notes, Where
from gateway.errors import UnsupportedParameter
from gateway.turn import Tool, ToolChoice

MAX_NAME_LENGTH = 256

Mode = Literal["auto", "any", "none"]

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
            raise invalid_field(
                field, "There are no tools to choose from. Send `tools`, or remove this field."
            )
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
    tools = [_tool(tool, notes.at(f"tools[{index}]")) for index, tool in enumerate(body.get("tools") or ())]
    for index, function in enumerate(body.get("functions") or ()):
        tools.append(read_tool(function, notes.at(f"functions[{index}]")))
    refuse_repeated(tools, len(body.get("tools") or ()))
    return tuple(tools)


def refuse_repeated(tools: list[Tool], count: int) -> None:
    """Raise InvalidRequest if two tools have the same name. The first `count` are `tools`, the others `functions`."""
    seen = set()
    for index, tool in enumerate(tools):
        if tool.name in seen:
            where = f"tools[{index}]" if index < count else f"functions[{index - count}]"
            raise invalid_field(
                where, f"There is another tool named {quote(tool.name)}. Rename or remove one."
            )
        seen.add(tool.name)


def unsupported_tool(tool: dict[str, Any], where: Where, field: Where) -> UnsupportedParameter:
    """Return the error for a tool at `where` that is not a function; it blames `field`."""
    kind = quote(tool["type"])
    problem = (
        f"Tools of type {kind} are not supported; only functions are. Remove {where} or use a function tool."
    )
    return unsupported_field(field, problem)


def _tool(tool: dict[str, Any], where: Where) -> Tool:
    if tool.get("type") not in (None, "function"):
        raise unsupported_tool(tool, where, where)
    if tool.get("function") is None and "name" in tool:
        return read_tool(tool, where)
    return read_tool(tool.get("function"), where.field("function"))


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
        return ToolChoice("tool", _known_name(wanted, Where(field), field, tools), parallel)
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
    names = {
        _known_name(item, where.field("tools").item(index), "tool_choice", tools)
        for index, item in enumerate(listed)
    }
    return tuple(tool for tool in tools if tool.name in names), ToolChoice(_MODES[mode], parallel=parallel)


def _known_name(choice: Any, where: Where, field: str, tools: tuple[Tool, ...]) -> str:
    """Return the name of the tool that `choice` refers to. Raises InvalidRequest; an unknown tool blames `field`."""
    function = choice.get("function", choice) if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str):
        raise invalid_field(where, "Expected an object that names a function.")
    name = repair_text(name)
    if name not in {tool.name for tool in tools}:
        raise invalid_field(field, f"There is no tool named {quote(name)} in the request.")
    return name
