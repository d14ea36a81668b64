"""Read chat's `response_format` as the JSON schema that the answer has to follow."""

from __future__ import annotations

from typing import Any

from gateway.dialects.common.json_types import Schema
from gateway.dialects.common.output_schema import read_described_schema, read_simple_format
from gateway.dialects.common.where import Notes

_FIELD = "response_format"


def read_schema(body: dict[str, Any], notes: Notes) -> Schema | None:
    """Return the schema, of type object at its top, or None for plain text. Raises InvalidRequest."""
    wanted, where = body.get(_FIELD), notes.at(_FIELD)
    if wanted is not None and wanted.get("type") == "json_schema":
        return read_described_schema(wanted.get("json_schema"), where.field("json_schema"))
    return read_simple_format(wanted, where)
