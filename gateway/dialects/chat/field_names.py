"""Chat's names for the concepts that errors and ignored parameters name. See `common.field_errors`."""

from __future__ import annotations

from gateway.dialects.common.field_errors import FieldNames

FIELD_NAMES: FieldNames = {
    "output_schema": "response_format.json_schema.schema",
    "structured_output": "response_format",
}
