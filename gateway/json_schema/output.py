"""Adapt the schema that an answer must follow to the two ways in which the model can be held to it.

The first is the API's structured output, `output_config.format`, which limits the model's text to the schema. It knows
a part of JSON Schema; see https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations.
As in Anthropic's SDKs (`lib/_parse/_transform.py` of anthropic-sdk-python), other constraints go into the description.

The second is the CLI's tool StructuredOutput, whose input follows the schema. The CLI checks it with ajv, a validator
of draft-07 that rejects unknown keywords and asks the model again if the input does not fit. It serves models without
structured output, and schemas that the first way cannot express without leaving out valid values: recursive ones,
values of any type, and objects with properties of any name.

>>> adapted = adapt_output_schema({"type": "array", "items": {"type": "integer", "minimum": 1}})
>>> adapted.format["properties"]["value"]
{'type': 'array', 'items': {'type': 'integer', 'description': '{minimum: 1}'}}
>>> adapted.mapping.to_client({"value": [3]})
[3]
"""

from dataclasses import dataclass

from gateway.json_schema.cache import cached_by_text
from gateway.json_schema.mapping import Schema, ValueMapping
from gateway.json_schema.output_format import express_format
from gateway.json_schema.output_tool import express_tool
from gateway.json_schema.references import find_missing_reference
from gateway.json_schema.repair import repair_schema
from gateway.json_schema.tools import adapt


class UnsupportedSchema(ValueError):
    """No answer can follow the schema. `path` leads to the keyword, for example ".properties.a.$ref"."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(problem)
        self.path = path
        self.problem = problem


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """The schema of an answer in both forms. Treat it as read-only, because equal requests share it.

    `format` is None if structured output cannot express it. `is_repaired` says that something was changed, apart from
    closing objects. `mapping` is None if values are the same for the model and for the client.
    """

    format: Schema | None
    tool: Schema
    is_repaired: bool
    mapping: ValueMapping | None


@cached_by_text(maxsize=256)
def adapt_output_schema(given: Schema) -> OutputSchema:
    """Return the forms in which the model gets a client's schema. Raises UnsupportedSchema."""
    repaired = repair_schema(given).schema
    missing = find_missing_reference(repaired) if isinstance(repaired, dict) else None
    if missing is not None:
        path, reference = missing
        raise UnsupportedSchema(path, f"The reference '{reference}' leads to nothing in the schema.")
    base = adapt(given)
    root = {keyword: value for keyword, value in base.schema.items() if keyword != "nullable"}
    tool, tool_is_lossy = express_tool(root)
    expressed = express_format(root)
    if expressed is None:
        return OutputSchema(None, tool, base.is_repaired or tool_is_lossy, base.mapping)
    return OutputSchema(expressed[0], tool, base.is_repaired or expressed[1], base.mapping)
