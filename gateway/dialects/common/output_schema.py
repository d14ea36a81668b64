"""Read the format that an answer has to have, from the objects in which the dialects describe it.

A schema may be nested, `{"type": "json_schema", "json_schema": {"schema": …}}`, as in chat, or flat, as in the
Responses API. Some clients send a schema with the type `json_object`, as llama.cpp and Groq accept.
"""

from typing import Any

from gateway.dialects.common.field_errors import invalid_field
from gateway.dialects.common.text import repair_json
from gateway.dialects.common.where import Where
from gateway.errors import InvalidRequest
from gateway.json_schema import OutputSchema, UnsupportedSchema, adapt_output_schema


def read_output_format(wanted: Any, where: Where, *, is_chat: bool = False) -> OutputSchema | None:
    """Return the schema of the answer for one of OpenAI's formats; None for plain text. Raises InvalidRequest.

    `is_chat` chooses the place that an error names if there is no schema; both forms are read in both APIs.
    """
    if wanted is None:
        return None
    if not isinstance(wanted, dict):
        raise invalid_field(where, "Expected an object.")
    kind = wanted.get("type")
    if kind == "text":
        return None
    if kind not in ("json_object", "json_schema"):
        raise invalid_field(where.field("type"), "Expected 'text', 'json_object' or 'json_schema'.")
    nested = wanted.get("json_schema")
    if isinstance(nested, dict):
        wanted, where = nested, where.field("json_schema")
    if wanted.get("schema") is None:
        if kind == "json_object":
            return adapt_output_schema({"type": "object"})
        if is_chat and nested is not wanted:
            raise invalid_field(where.field("json_schema"), "Expected an object with `name` and `schema`.")
    return read_described_schema(wanted, where)


def read_described_schema(described: dict[str, Any], where: Where) -> OutputSchema:
    """Return the `schema` in the object at `where`. Raises InvalidRequest."""
    where = where.field("schema")
    given = described.get("schema")
    if not isinstance(given, dict):
        raise invalid_field(where, "Expected a JSON schema, which is an object.")
    try:
        adapted = adapt_output_schema(repair_json(given, where))
    except UnsupportedSchema as error:
        path = f"{where}{error.path}"
        raise InvalidRequest(
            f"Invalid '{path}': {error.problem}", param=path, code="invalid_json_schema"
        ) from None
    if adapted.is_repaired:
        where.repair("output-schema")
    return adapted
