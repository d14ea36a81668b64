"""Rules for `tools` and `tool_choice`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from .models import Model
from .prompt import Body, thinking_type
from .rules_schemas import invalid_json_schema, structured_schema

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
PROPERTY_KEY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_CHOICES = ("auto", "any", "tool", "none")


# https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-reference
_FIELDS = frozenset(
    (
        *("type", "name", "description", "input_schema", "cache_control", "strict", "input_examples"),
        *("defer_loading", "eager_input_streaming", "allowed_callers"),
    )
)
MAX_STRICT_TOOLS = 20


def _tools(body: Body, model: Model) -> Iterator[str]:
    tools = body.get("tools")
    if tools is None:
        return
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        yield "tools: Input should be a valid list of dictionaries"
        return
    for index, tool in enumerate(tools):
        yield from _tool(f"tools.{index}", tool, model)
    names = [tool["name"] for tool in tools if "name" in tool]
    if len(set(names)) < len(names):
        yield "tools: Tool names must be unique."
    strict = sum(tool.get("strict") is True for tool in tools)
    if strict > MAX_STRICT_TOOLS:
        yield f"Too many strict tools ({strict}). The maximum number of strict tools is {MAX_STRICT_TOOLS}."


def _tool(where: str, tool: dict[str, Any], model: Model) -> Iterator[str]:
    if tool.get("type") == "mcp_toolset":
        return
    name = tool.get("name")
    if not isinstance(name, str):
        yield f"{where}.custom.name: Field required"
    elif not TOOL_NAME.fullmatch(name):
        yield f"{where}.custom.name: String should match pattern '^{TOOL_NAME.pattern}$'"
    # Any type but "custom" names one of Anthropic's own tools, whose schema the API knows.
    if tool.get("type") in (None, "custom"):
        yield from _definition(f"{where}.custom", tool, model)


def _definition(where: str, tool: dict[str, Any], model: Model) -> Iterator[str]:
    yield from (f"{where}.{name}: Extra inputs are not permitted" for name in tool.keys() - _FIELDS)
    if not isinstance(tool.get("description", ""), str):
        yield f"{where}.description: Input should be a valid string"
    schema = tool.get("input_schema")
    yield from _schema(f"{where}.input_schema", schema)
    if tool.get("strict") is True:
        if not model.structured_outputs_ok:
            yield f"{where}.strict: '{model.id}' does not support strict tools."
        yield from structured_schema(f"{where}.input_schema", schema)


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
    if invalid_json_schema(schema):
        # https://github.com/anthropics/claude-code/issues/5878
        yield f"{where}: JSON schema is invalid. It must match JSON Schema draft 2020-12"


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
