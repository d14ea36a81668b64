"""Chat's `response_format`, and the Responses API's `text.format`, as the JSON schema the answer has to follow."""

from __future__ import annotations

from typing import Any

from gateway.dialects.common.field_errors import invalid
from gateway.dialects.common.text import well_formed_json

FIELD = "response_format"
TEXT_FIELD = "text.format"

Schema = dict[str, Any]


def schema(body: dict[str, Any]) -> Schema | None:
    """The schema of a chat request, of type object at its top, or None for plain text. Raises InvalidRequest."""
    wanted = body.get(FIELD)
    if wanted is not None and wanted.get("type") == "json_schema":
        return described_schema(wanted.get("json_schema"), f"{FIELD}.json_schema")
    return _simple(wanted, FIELD)


def text_schema(wanted: Any) -> Schema | None:
    """As `schema`, of the Responses API's `text.format`, which holds the schema itself."""
    if not isinstance(wanted, dict | None):
        raise invalid(TEXT_FIELD, "Expected an object.")
    if wanted is not None and wanted.get("type") == "json_schema":
        return described_schema(wanted, TEXT_FIELD)
    return _simple(wanted, TEXT_FIELD)


def _simple(wanted: dict[str, Any] | None, where: str) -> Schema | None:
    if wanted is None or wanted.get("type") == "text":
        return None
    if wanted.get("type") == "json_object":
        return {"type": "object"}
    raise invalid(f"{where}.type", "Expected 'text', 'json_object' or 'json_schema'.")


def described_schema(described: Any, where: str) -> Schema:
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
    whole: Schema = well_formed_json(given, where)
    return whole
