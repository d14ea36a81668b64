"""A request's functions and how the model may use them.

Names go on as the client wrote them. A definition is read nested, `{"type": "function", "function": {…}}`, and
flat, as in the deprecated `functions` and the Responses API.
"""

from __future__ import annotations

from typing import Any, Literal

from gateway.dialects.common.field_errors import invalid, quoted, unsupported
from gateway.dialects.common.text import is_blank, well_formed, well_formed_json
from gateway.turn import Tool, ToolChoice

LONGEST_NAME = 256

Mode = Literal["auto", "any", "none"]

_MODES: dict[str, Mode] = {"none": "none", "auto": "auto", "required": "any", "any": "any"}


def translate(body: dict[str, Any]) -> tuple[tuple[Tool, ...], ToolChoice]:
    """The tools and the choice among them. Raises InvalidRequest and UnsupportedParameter, naming the field.

    The mode "none" keeps the tools, because the history may hold calls of them.
    """
    tools = _defined(body)
    field = "function_call" if body.get("tool_choice") is None else "tool_choice"
    wanted = body.get(field)
    if not tools:
        if wanted not in (None, "auto", "none"):
            raise invalid(field, "There are no tools to choose from.")
        return (), ToolChoice()
    # The deprecated answer has room for one call.
    parallel = body.get("parallel_tool_calls") is not False and not is_deprecated(body)
    if isinstance(wanted, dict) and wanted.get("type") == "allowed_tools":
        return _allowed(wanted, tools, parallel)
    return tools, _choice(wanted, field, tools, parallel)


def is_deprecated(body: dict[str, Any]) -> bool:
    """Whether the client defines its tools as `functions`, and expects the answer in that form."""
    return bool(body.get("functions")) and not body.get("tools")


def _defined(body: dict[str, Any]) -> tuple[Tool, ...]:
    tools = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(body.get("tools") or ())]
    for index, function in enumerate(body.get("functions") or ()):
        tools.append(define(function, f"functions[{index}]"))
    refuse_repeated(tools, len(body.get("tools") or ()))
    return tuple(tools)


def refuse_repeated(tools: list[Tool], in_tools: int) -> None:
    """Raises InvalidRequest if two have one name; those behind the first `in_tools` are from `functions`."""
    seen = set()
    for index, tool in enumerate(tools):
        if tool.name in seen:
            where = f"tools[{index}]" if index < in_tools else f"functions[{index - in_tools}]"
            raise invalid(where, f"There is another tool named {quoted(tool.name)}.")
        seen.add(tool.name)


def _tool(tool: dict[str, Any], where: str) -> Tool:
    if tool.get("type") not in (None, "function"):
        raise unsupported(where, f"Tools of type {quoted(tool['type'])} cannot be passed on, only functions.")
    if tool.get("function") is None and "name" in tool:
        return define(tool, where)
    return define(tool.get("function"), f"{where}.function")


def define(function: Any, where: str, field: str = "parameters") -> Tool:
    """The tool that the object at `where` describes, its schema under `field`. Raises InvalidRequest."""
    if not isinstance(function, dict):
        raise invalid(where, f"Expected an object with `name` and `{field}`.")
    name = function.get("name")
    if not isinstance(name, str) or is_blank(name) or len(name) > LONGEST_NAME:
        raise invalid(f"{where}.name", f"Expected a name of 1 to {LONGEST_NAME} characters.")
    description = function.get("description")
    if not isinstance(description, str | None):
        raise invalid(f"{where}.description", "Expected a string.")
    schema = _schema(function.get(field), f"{where}.{field}")
    return Tool(well_formed(name), well_formed(description or ""), schema)


def _schema(schema: Any, where: str) -> dict[str, Any]:
    """The parameters' schema. Go clients send null for what is empty; the API wants a type."""
    if not isinstance(schema, dict | None):
        raise invalid(where, "Expected a JSON schema, an object.")
    given = {key: value for key, value in (schema or {}).items() if value is not None}
    if given.get("type", "object") != "object":
        raise invalid(where, 'Expected a JSON schema of type "object".')
    whole: dict[str, Any] = well_formed_json({"type": "object", "properties": {}} | given, where)
    return whole


def _choice(wanted: Any, field: str, tools: tuple[Tool, ...], parallel: bool) -> ToolChoice:
    if wanted is None:
        return ToolChoice(parallel=parallel)
    if isinstance(wanted, dict):
        return ToolChoice("tool", _existing(wanted, field, field, tools), parallel)
    if isinstance(wanted, str) and wanted in _MODES:
        return ToolChoice(_MODES[wanted], parallel=parallel)
    raise invalid(field, "Expected 'none', 'auto', 'required' or an object that names a function.")


def _allowed(
    wanted: dict[str, Any], tools: tuple[Tool, ...], parallel: bool
) -> tuple[tuple[Tool, ...], ToolChoice]:
    where = "tool_choice"
    allowed = wanted
    if isinstance(wanted.get("allowed_tools"), dict):
        where, allowed = f"{where}.allowed_tools", wanted["allowed_tools"]
    mode, named = allowed.get("mode", "auto"), allowed.get("tools")
    if mode not in ("auto", "required"):
        raise invalid(f"{where}.mode", "Expected 'auto' or 'required'.")
    if not isinstance(named, list) or not named:
        raise invalid(f"{where}.tools", "Expected a list of functions.")
    names = {
        _existing(item, f"{where}.tools[{index}]", "tool_choice", tools) for index, item in enumerate(named)
    }
    return tuple(tool for tool in tools if tool.name in names), ToolChoice(_MODES[mode], parallel=parallel)


def _existing(choice: Any, where: str, field: str, tools: tuple[Tool, ...]) -> str:
    """The name of the tool that `choice` refers to; `field` is blamed when there is no such tool."""
    named = choice.get("function", choice) if isinstance(choice, dict) else None
    name = named.get("name") if isinstance(named, dict) else None
    if not isinstance(name, str):
        raise invalid(where, "Expected an object that names a function.")
    name = well_formed(name)
    if name not in {tool.name for tool in tools}:
        raise invalid(field, f"There is no tool named {quoted(name)}.")
    return name
