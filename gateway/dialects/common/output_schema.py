"""Read the JSON schema that an answer has to follow, from the objects in which the dialects wrap it."""

from __future__ import annotations

from typing import Any

from gateway.dialects.common.field_errors import invalid_field
from gateway.dialects.common.json_types import Schema
from gateway.dialects.common.text import repair_json
from gateway.dialects.common.where import Where


def read_described_schema(described: Any, where: Where) -> Schema:
    """Return the `schema` in the object at `where`; at its top it is of type object. Raises InvalidRequest."""
    if not isinstance(described, dict):
        raise invalid_field(where, "Expected an object with `name` and `schema`.")
    given = described.get("schema")
    where = where.field("schema")
    if not isinstance(given, dict):
        raise invalid_field(where, "Expected a JSON schema, which is an object.")
    if given.get("type") != "object":
        raise invalid_field(
            where,
            'The top level of the schema must have `"type": "object"`. Put other types inside a property.',
        )
    schema: Schema = repair_json(given, where)
    return schema


def read_simple_format(wanted: dict[str, Any] | None, where: Where) -> Schema | None:
    """Return the schema for a format of OpenAI's that holds none: `text` or `json_object`. Raises InvalidRequest."""
    if wanted is None or wanted.get("type") == "text":
        return None
    if wanted.get("type") == "json_object":
        return {"type": "object"}
    raise invalid_field(where.field("type"), "Expected 'text', 'json_object' or 'json_schema'.")
