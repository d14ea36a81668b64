"""`response_format` as the JSON schema that the answer has to follow."""

from __future__ import annotations

from typing import Any

from gateway.dialects.faults import invalid
from gateway.dialects.text import well_formed_json

FIELD = "response_format"


def schema(body: dict[str, Any]) -> dict[str, Any] | None:
    """The schema, of type object at its top, or None for plain text. Raises InvalidRequest."""
    wanted = body.get(FIELD)
    if wanted is None or wanted.get("type") == "text":
        return None
    if wanted.get("type") == "json_object":
        return {"type": "object"}
    if wanted.get("type") == "json_schema":
        return described_schema(wanted.get("json_schema"), f"{FIELD}.json_schema")
    raise invalid(f"{FIELD}.type", "Expected 'text', 'json_object' or 'json_schema'.")


def described_schema(described: Any, where: str) -> dict[str, Any]:
    """The `schema` in the object at `where`, of type object at its top. Raises InvalidRequest."""
    if not isinstance(described, dict):
        raise invalid(where, "Expected an object with `name` and `schema`.")
    given = described.get("schema")
    where = f"{where}.schema"
    if not isinstance(given, dict):
        raise invalid(where, "Expected a JSON schema, an object.")
    if given.get("type") != "object":
        raise invalid(
            where, 'At its top the schema needs `"type": "object"`; put other types inside a property.'
        )
    whole: dict[str, Any] = well_formed_json(given, where)
    return whole
