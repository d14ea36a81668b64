"""The Messages API's names for the concepts that errors and ignored parameters name. See `common.field_errors`."""

from __future__ import annotations

from gateway.dialects.common.field_errors import FieldNames

FIELD_NAMES: FieldNames = {
    "output_schema": "output_config.format.schema",
    "thinking_budget": "thinking.budget_tokens",
}
