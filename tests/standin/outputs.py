"""Scripted replies with structured output, in the way in which each request asks for it."""

import json
from collections.abc import Callable
from typing import Any

from .prompt import Body
from .replies import Reply, text, tool_calls

OUTPUT_TOOL = "StructuredOutput"


def output(value: Any = None, fragments: int = 6, **options: Any) -> Callable[[Body], Reply]:
    """Return an answer whose structured output is `value`, or without one the smallest value that fits the schema.

    It is text if the request has `output_config.format`, and a call of the CLI's tool otherwise. `options` are passed
    on to `blocks`.
    """

    def answer(body: Body) -> Reply:
        wanted = body.get("output_config", {}).get("format")
        if wanted is None:
            [tool] = [tool for tool in body.get("tools", ()) if tool["name"] == OUTPUT_TOOL]
            given = smallest(tool["input_schema"]) if value is None else value
            return tool_calls([(OUTPUT_TOOL, given)], fragments=fragments, **options)
        given = smallest(wanted["schema"]) if value is None else value
        return text(json.dumps(given, ensure_ascii=False), chunks=fragments, **options)

    return answer


def smallest(schema: Any, root: Any = None) -> Any:
    """Return a small value that follows a schema of structured output or of the CLI's tool.

    >>> smallest({"type": "object", "properties": {"a": {"type": "array"}, "b": {}}, "required": ["a"]})
    {'a': []}
    """
    root = root or schema
    if "$ref" in schema:
        return smallest(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    if "anyOf" in schema or "oneOf" in schema:
        return smallest((schema.get("anyOf") or schema["oneOf"])[0], root)
    kind = schema.get("type", "object")
    kind = kind if isinstance(kind, str) else kind[0]
    if kind == "object":
        return {name: smallest(schema["properties"][name], root) for name in schema.get("required", ())}
    if kind == "array":
        return [smallest(schema["items"], root)] * schema.get("minItems", 0)
    values = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None}
    return values[kind]
