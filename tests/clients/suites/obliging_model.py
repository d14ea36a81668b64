"""A model that does what any request asks for: tool calls, structured output, or text.

It knows no test suite. It reads the request as a model would: it calls the tool that the newest message asks for, with
arguments from that message, and fills in schemas likewise. For example, "Use magic_function on 3." leads to a
call of `magic_function` with 3 as its number.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.standin import Reply, text, thinking, tool_calls
from tests.standin.outputs import OUTPUT_TOOL
from tests.standin.prompt import Body, spoken_text

_QUOTED = re.compile(r"""(?<!\w)['"`]([^'"`\n]+)['"`]""")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")
_WORD = re.compile(r"\w{3,}")
_THOUGHT = "The request is clear, so the answer is too."
_CHAT = "I can tell you about that. If you say more, you get a longer answer from me."


def obliging_model(body: Body) -> Reply:
    """Return the reply to a request. It thinks first, if the request lets it."""
    return thinking(_THOUGHT, _reply(body))


def _reply(body: Body) -> Reply:
    asked = spoken_text(body)
    schema = body.get("output_config", {}).get("format", {}).get("schema")
    if schema:
        return text(json.dumps(fill_in(schema, asked), ensure_ascii=False))
    tools = _tools_to_call(body, asked)
    if tools:
        return tool_calls([(tool["name"], fill_in(tool["input_schema"], asked)) for tool in tools])
    quoted = _QUOTED.findall(asked)
    return text(f"{_CHAT} You said: {quoted[0] if quoted else asked[:200]}")


def _tools_to_call(body: Body, asked: str) -> list[Body]:
    """Return the tools to call: all whose names are in the message, or else the best match."""
    tools: list[Body] = body.get("tools", [])
    choice = body.get("tool_choice", {})
    kind = choice.get("type", "auto")
    output = [tool for tool in tools if tool["name"] == OUTPUT_TOOL]
    if kind == "none" or not tools:
        return []
    if output and (len(tools) == 1 or _has_results(body)):
        return output
    if kind == "tool":
        return [tool for tool in tools if tool["name"] == choice["name"]]
    if kind == "auto" and _has_results(body):
        return []
    named = [tool for tool in tools if tool["name"] in asked]
    best = max(tools, key=lambda tool: len(_shared_words(tool, asked)))
    fits = kind == "any" or _shared_words(best, asked)
    return named or ([best] if fits else [])


def _has_results(body: Body) -> bool:
    content = body["messages"][-1]["content"]
    return isinstance(content, list) and any(block["type"] == "tool_result" for block in content)


def _shared_words(tool: Body, asked: str) -> set[str]:
    described = f"{tool['name']} {tool.get('description', '')}".replace("_", " ")
    return {*_words(described)} & {*_words(asked.replace("_", " "))}


def _words(text: str) -> Iterator[str]:
    return (word.lower() for word in _WORD.findall(text))


def fill_in(schema: Body, asked: str) -> Any:
    """Return a value that follows a schema, with the numbers and quoted texts of a message.

    >>> schema = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
    >>> fill_in(schema, "The weather in 'Paris' for 3 days")
    {'city': 'Paris', 'days': 3}
    """
    return _Form(schema, asked).value(schema)


class _Form:
    """Fills in one schema. Each number and quoted text of the message is used once."""

    def __init__(self, schema: Body, asked: str) -> None:
        self._root = schema
        self._asked = asked
        self._texts = iter(_QUOTED.findall(asked))
        self._numbers = iter(_NUMBER.findall(asked))

    def value(self, schema: Any, depth: int = 0) -> Any:
        if not isinstance(schema, dict) or depth > 8:
            return None
        if "$ref" in schema:
            return self.value(self._resolve(schema["$ref"]), depth + 1)
        if "const" in schema or "enum" in schema:
            return schema["const"] if "const" in schema else self._choose(schema["enum"])
        for union in ("anyOf", "oneOf", "allOf"):
            if union in schema:
                return self.value(self._first(schema[union]), depth + 1)
        kind = schema.get("type", "object")
        kind = kind if isinstance(kind, str) else next(name for name in kind if name != "null")
        return self._of_kind(kind, schema, depth)

    def _of_kind(self, kind: str, schema: Body, depth: int) -> Any:
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            item = schema.get("items", {"type": "string"})
            return [self.value(item, depth + 1) for _ in range(max(1, schema.get("minItems", 1)))]
        if kind in ("integer", "number"):
            number = float(next(self._numbers, schema.get("minimum", 1)))
            return int(number) if kind == "integer" else number
        return {"boolean": True, "null": None}.get(kind) if kind != "string" else self._text()

    def _object(self, schema: Body, depth: int) -> Any:
        properties = schema.get("properties", {})
        if not properties and schema.get("additionalProperties", True) is not False and depth == 0:
            # JSON without a schema: the message names its keys.
            return dict.fromkeys(self._texts, self._asked[:40])
        return {name: self.value(inner, depth + 1) for name, inner in properties.items()}

    def _text(self) -> str:
        return next(self._texts, self._asked[:40] or "text")

    def _choose(self, options: list[Any]) -> Any:
        return next((option for option in options if str(option).lower() in self._asked.lower()), options[0])

    def _first(self, options: list[Any]) -> Any:
        return next((option for option in options if option.get("type") != "null"), options[0])

    def _resolve(self, reference: str) -> Any:
        found: Any = self._root
        for key in reference.lstrip("#/").split("/"):
            found = found[key] if key else found
        return found
