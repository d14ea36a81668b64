"""Rules for `tools` and `tool_choice`. Their shapes are checked already.

Sources: Anthropic's pages on defining tools, strict tool use and the tool search tool, and error texts that users
reported. The tools of a conversation rarely change, so their first error is remembered.
"""

import marshal
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator

from .models import Model
from .prompt import Body, thinking_type
from .rules_schemas import grammar_problems, invalid_json_schema, subschemas

Tool = dict[str, Any]

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
PROPERTY_KEY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
# The API answers this pattern with an error, although it is valid.
_REJECTED_PATTERN = "^(.*)$"
# Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs#schema-complexity-limits
MAX_STRICT = 20
_TOOL_BETAS = {
    "advisor_": "advisor-tool-",
    "bash_20241022": "computer-use-",
    "computer_20": "computer-use-",
    "mcp_toolset": "mcp-client-",
    "text_editor_20241022": "computer-use-",
}
_INVALID = (
    "JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12)."
    " Learn more about tool use at https://docs.claude.com/en/docs/tool-use."
)
_FORCED = 'tool_choice: type "tool" and "any" are not supported for this model.'


def _tools(body: Body, model: Model) -> Iterator[str]:
    tools = body.get("tools")
    if not tools:
        return
    if error := _first_error(marshal.dumps(tools)):
        yield error
    for index, tool in enumerate(tools):
        kind = tool.get("type") or "custom"
        needed = next((beta for prefix, beta in _TOOL_BETAS.items() if kind.startswith(prefix)), None)
        if needed and not model.has_beta(needed):
            yield f"tools.{index}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
        if tool.get("strict") and not model.structured_outputs_ok:
            yield f"tools.{index}.custom.strict: Extra inputs are not permitted"


@lru_cache(maxsize=256)
def _first_error(dumped: bytes) -> str | None:
    return next(_errors(marshal.loads(dumped)), None)


def _errors(tools: list[Tool]) -> Iterator[str]:
    for index, tool in enumerate(tools):
        # Any other type is one of Anthropic's own tools, whose name and schema the API knows.
        if tool.get("type") in (None, "custom"):
            yield from _custom(f"tools.{index}.custom", tool)
        if tool.get("allowed_domains") and tool.get("blocked_domains"):
            yield f"tools.{index}: only one of allowed_domains or blocked_domains may be specified"
    names = [tool["name"] for tool in tools if "name" in tool]
    if len(set(names)) < len(names):
        yield "tools: Tool names must be unique."
    yield from _deferred(tools)
    strict = [tool["input_schema"] for tool in tools if tool.get("strict")]
    if len(strict) > MAX_STRICT:
        yield f"Too many strict tools ({len(strict)}). The maximum number of strict tools is {MAX_STRICT}."
    yield from grammar_problems(strict)


def _custom(where: str, tool: Tool) -> Iterator[str]:
    name = tool["name"]
    if not name:
        yield f"{where}.name: String should have at least 1 character"
    if len(name) > 128:
        yield f"{where}.name: String should have at most 128 characters"
    if not TOOL_NAME.fullmatch(name):
        yield f"{where}.name: String should match pattern '^{TOOL_NAME.pattern}$'"
    yield from _schema(f"{where}.input_schema", tool["input_schema"])
    if tool.get("strict"):
        yield from (f"{where}: {problem}" for problem in grammar_problems([tool["input_schema"]]))
    validator = Draft202012Validator(tool["input_schema"])
    for index, example in enumerate(tool.get("input_examples", ())):
        if not validator.is_valid(example):
            yield f"{where}.input_examples.{index}: Input does not match the input_schema"


def _schema(where: str, schema: dict[str, Any]) -> Iterator[str]:
    if "type" not in schema:
        yield f"{where}.type: Field required"
    if schema["type"] != "object":
        yield f"{where}.type: Input should be 'object'"
    if any(key in schema for key in ("oneOf", "allOf", "anyOf")):
        yield f"{where}: input_schema does not support oneOf, allOf, or anyOf at the top level"
    if not isinstance(schema.get("properties") or {}, dict):
        yield f"{where}.properties: Input should be an object"
    if invalid_json_schema(schema):
        yield f"{where}: {_INVALID}"
    # Users reported the first error only for the properties at the top. The stand-in is as strict with the others.
    for inner in filter(_is_dict, subschemas(schema)):
        if not all(map(PROPERTY_KEY.fullmatch, inner.get("properties") or ())):
            yield f"{where}.properties: Property keys should match pattern '^{PROPERTY_KEY.pattern}$'"
        if _REJECTED_PATTERN in inner.get("patternProperties", ()):
            yield f"{where}: {_INVALID}"


def _is_dict(schema: Any) -> bool:
    return isinstance(schema, dict)


def _deferred(tools: list[Tool]) -> Iterator[str]:
    if all(tool.get("defer_loading") for tool in tools):
        yield "At least one tool must have defer_loading=false. All tools cannot be deferred."
    for tool in tools:
        if tool.get("defer_loading") and tool.get("cache_control"):
            yield (
                f"Tool '{tool['name']}' cannot have both defer_loading=true and cache_control set."
                " Tools with defer_loading cannot use prompt caching."
            )


def _references(body: Body, _model: Model) -> Iterator[str]:
    """Yield an error if the result of a tool search names a tool that the request does not define."""
    names = {tool.get("name") for tool in body.get("tools") or ()}
    for message in body["messages"]:
        for block in message["content"] if isinstance(message.get("content"), list) else ():
            inner = block.get("content") if block["type"] == "tool_result" else ()
            for item in inner if isinstance(inner, list) else ():
                if item["type"] == "tool_reference" and item["tool_name"] not in names:
                    yield f"Tool reference '{item['tool_name']}' not found in available tools"


def _choice(body: Body, model: Model) -> Iterator[str]:
    choice = body.get("tool_choice")
    if choice is None:
        return
    kind, tools = choice["type"], body.get("tools") or []
    if kind == "tool" and choice["name"] not in [tool.get("name") for tool in tools]:
        yield f"Tool '{choice['name']}' not found in provided tools"
    if not tools:
        yield f"tool_choice.{kind} may only be specified while providing tools"
    if kind in ("any", "tool"):
        if not model.forced_tools_ok:
            yield _FORCED
        if thinking_type(body) == "enabled":
            yield "Thinking may not be enabled when tool_choice forces tool use."


tool_rules: tuple[Callable[[Body, Model], Iterator[str]], ...] = (_tools, _choice, _references)
