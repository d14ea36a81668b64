"""Rules for `tools` and `tool_choice`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from .models import Model
from .prompt import Body, thinking_type

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
PROPERTY_KEY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_CHOICES = ("auto", "any", "tool", "none")


def _tools(body: Body, _model: Model) -> Iterator[str]:
    tools = body.get("tools")
    if tools is None:
        return
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        yield "tools: Input should be a valid list of dictionaries"
        return
    for index, tool in enumerate(tools):
        yield from _tool(f"tools.{index}", tool)
    names = [tool["name"] for tool in tools if "name" in tool]
    if len(set(names)) < len(names):
        yield "tools: Tool names must be unique."


def _tool(where: str, tool: dict[str, Any]) -> Iterator[str]:
    if tool.get("type") == "mcp_toolset":
        return
    name = tool.get("name")
    if not isinstance(name, str):
        yield f"{where}.custom.name: Field required"
    elif not TOOL_NAME.fullmatch(name):
        yield f"{where}.custom.name: String should match pattern '^{TOOL_NAME.pattern}$'"
    # Any type but "custom" names one of Anthropic's own tools, whose schema the API knows.
    if tool.get("type") in (None, "custom"):
        yield from _schema(f"{where}.custom.input_schema", tool.get("input_schema"))


def _schema(where: str, schema: Any) -> Iterator[str]:
    if not isinstance(schema, dict):
        yield f"{where}: Field required"
        return
    if schema.get("type") != "object":
        yield f"{where}.type: Input should be 'object'"
    if any(key in schema for key in ("oneOf", "allOf", "anyOf")):
        yield f"{where}: input_schema does not support oneOf, allOf, or anyOf at the top level"
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        yield f"{where}.properties: Input should be a valid dictionary"
    elif not all(map(PROPERTY_KEY.fullmatch, properties)):
        yield f"{where}.properties: Property keys should match pattern '^{PROPERTY_KEY.pattern}$'"


def _choice(body: Body, _model: Model) -> Iterator[str]:
    choice = body.get("tool_choice")
    if choice is None:
        return
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind not in _CHOICES:
        yield f"tool_choice.type: Input tag should be one of {', '.join(_CHOICES)}"
    if not body.get("tools"):
        yield "tool_choice: may only be specified while providing tools"
    if kind == "tool" and choice.get("name") not in [tool.get("name") for tool in body["tools"]]:
        yield f"Tool '{choice.get('name')}' not found in provided tools"
    if kind in ("any", "tool") and thinking_type(body) == "enabled":
        yield "Thinking may not be enabled when tool_choice forces tool use."


tool_rules: tuple[Callable[[Body, Model], Iterator[str]], ...] = (_tools, _choice)
