"""Read the definitions of tools.

Definitions are passed on as the client wrote them. Only a schema that the API would reject is repaired:

>>> where = Where("tools[0]")
>>> read_tool({"name": "search", "parameters": {"properties": []}}, where).input_schema
{'type': 'object', 'properties': {}}
>>> where.notes.repaired
(Repair(code='tool-schema', path='tools[0].parameters'),)
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from gateway.dialects.common.field_errors import invalid_field
from gateway.dialects.common.text import is_blank, repair_json, repair_text
from gateway.dialects.common.where import Where
from gateway.json_schema import AdaptedSchema, adapt_output_schema, adapt_tool_schema
from gateway.lenient_json import loads
from gateway.turn import Tool

MAX_NAME_LENGTH = 256


def read_tool(definition: Any, where: Where, schema_field: str = "parameters") -> Tool:
    """Return the tool that the object at `where` defines, with its schema under `schema_field`.

    A repair of the schema is noted. Raises InvalidRequest.
    """
    if not isinstance(definition, dict):
        raise invalid_field(where, f"Expected an object with `name` and `{schema_field}`.")
    name = definition.get("name")
    if not isinstance(name, str) or is_blank(name) or len(name) > MAX_NAME_LENGTH:
        raise invalid_field(where.field("name"), f"Expected a name of 1 to {MAX_NAME_LENGTH} characters.")
    description = definition.get("description")
    if not isinstance(description, str | None):
        raise invalid_field(where.field("description"), "Expected a string.")
    options = _read_options(definition, where)
    adapted = adapt_tool_schema(_read_schema(definition.get(schema_field), where.field(schema_field)))
    if "strict" in options:
        adapted = _adapt_strict_schema(adapted, options, where)
    if adapted.is_repaired:
        where.field(schema_field).repair("tool-schema")
    if "input_examples" in options:
        options["input_examples"] = [adapted.to_model(example) for example in options["input_examples"]]
    return Tool(
        repair_text(name), repair_text(description or ""), adapted.schema, options, mapping=adapted.mapping
    )


def _adapt_strict_schema(adapted: AdaptedSchema, options: dict[str, Any], where: Where) -> AdaptedSchema:
    """Return a schema that the API can hold calls to, or remove `strict` from the options if no schema can.

    The API rejects a strict tool if its schema has constraints that structured output does not know, or open objects.
    """
    output = adapt_output_schema(adapted.schema)
    if output.format is None or output.is_repaired:
        del options["strict"]
        where.notes.ignore("tools.strict")
        return adapted
    if output.format == adapted.schema:
        return adapted
    return AdaptedSchema(output.format, is_repaired=True, mapping=adapted.mapping)


def merge_repeated(tools: Iterable[tuple[Tool, Where]]) -> tuple[Tool, ...]:
    """Return the tools without repeated names. The last definition counts, in the place of the first.

    The API rejects two tools of one name. Clients collect tools by name, so the last one is what a call will run.
    """
    merged: dict[str, Tool] = {}
    for tool, where in tools:
        if tool.name in merged:
            where.repair("duplicate-tool")
        merged[tool.name] = tool
    return tuple(merged.values())


def _read_schema(given: Any, where: Where) -> Any:
    """Return a schema with well-formed text. It may have been sent as JSON text."""
    if isinstance(given, str):
        with suppress(ValueError):
            given = loads(given)
    return repair_json(given, where)


def _read_options(definition: dict[str, Any], where: Where) -> dict[str, Any]:
    """Return the further fields of a definition that the API takes. A value that it would reject is ignored."""
    options: dict[str, Any] = {}
    if _OPTIONS.keys().isdisjoint(definition):
        return options
    for name, is_valid in _OPTIONS.items():
        value = definition.get(name)
        if value in (None, False):
            continue
        if is_valid(value):
            options[name] = repair_json(value, where.field(name))
        else:
            where.notes.ignore(f"tools.{name}")
    return options


def _is_true(value: Any) -> bool:
    return value is True


def _is_cache_mark(value: Any) -> bool:
    return isinstance(value, dict) and value in (
        {"type": "ephemeral"},
        {"type": "ephemeral", "ttl": "5m"},
        {"type": "ephemeral", "ttl": "1h"},
    )


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


_OPTIONS: dict[str, Callable[[Any], bool]] = {
    "strict": _is_true,
    "cache_control": _is_cache_mark,
    "input_examples": _is_list_of_objects,
    "eager_input_streaming": _is_true,
    "defer_loading": _is_true,
}
#: The fields of a definition in the Messages API that have an effect.
HONORED_FIELDS = frozenset({"name", "description", "input_schema", "type", *_OPTIONS})
