"""Express a schema for the CLI's tool StructuredOutput.

Two validators read it: the API, which expects 2020-12, and the CLI's ajv in strict mode, which expects draft-07 and
rejects keywords and formats that it does not know. The result uses the keywords that mean the same to both.
"""

from typing import Any

from gateway.json_schema.keywords import add_notes
from gateway.json_schema.mapping import Schema
from gateway.json_schema.output_format import FORMATS
from gateway.json_schema.patterns import is_simple_pattern
from gateway.json_schema.references import map_subschemas, settle_references

_KNOWN = frozenset(
    (
        *("type", "enum", "const", "properties", "required", "additionalProperties", "patternProperties"),
        *("propertyNames", "minProperties", "maxProperties", "items", "contains", "minItems", "maxItems"),
        *("uniqueItems", "minLength", "maxLength", "pattern", "format", "minimum", "maximum"),
        *("exclusiveMinimum", "exclusiveMaximum", "multipleOf", "anyOf", "oneOf", "allOf", "not"),
        *("if", "then", "else", "$ref", "$defs", "definitions", "title", "description", "default"),
        *("$comment", "readOnly", "writeOnly", "examples"),
    )
)
_SILENT = frozenset(
    ("$schema", "$id", "$anchor", "$dynamicAnchor", "$vocabulary", "additionalItems", "nullable")
)


def express_tool(root: Schema) -> tuple[Schema, bool]:
    """Return the schema, and True if it lost constraints to descriptions."""
    converter = _Converter()
    return settle_references(converter.convert(root), {}), converter.is_lossy


class _Converter:
    def __init__(self) -> None:
        self.is_lossy = False

    def convert(self, schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema
        is_nullable = schema.get("nullable") is True
        converted = map_subschemas(_join_tuple(schema), self.convert)
        kept = {key: value for key, value in converted.items() if _is_understood(key, value, converted)}
        if "patternProperties" in schema and "patternProperties" not in kept:
            kept.pop("additionalProperties", None)  # it may forbid the names that the patterns allow
        lost = [(key, value) for key, value in schema.items() if key not in kept and key not in _SILENT]
        self.is_lossy = self.is_lossy or bool(lost)
        kept = add_notes(kept, lost)
        return _or_null(kept) if is_nullable else kept


def _join_tuple(schema: Schema) -> Schema:
    """Return the schema with `items` that allow the types of all places, because the validators differ on tuples."""
    if "prefixItems" not in schema:
        return schema
    rest = schema.get("items", True)
    kinds = [*schema["prefixItems"], *([rest] if isinstance(rest, dict) else [])]
    return {**schema, "items": {"anyOf": kinds}}


def _is_understood(keyword: str, value: Any, schema: Schema) -> bool:
    if keyword == "format":
        return value in FORMATS
    if keyword == "pattern":
        return is_simple_pattern(value)
    if keyword == "patternProperties":  # in strict mode, ajv rejects patterns that match a property
        return not schema.get("properties") and all(map(is_simple_pattern, value))
    if keyword == "if":
        return "then" in schema or "else" in schema
    if keyword in ("then", "else"):
        return "if" in schema
    return keyword in _KNOWN


def _or_null(schema: Schema) -> Schema:
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema and "const" not in schema:
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [schema, {"type": "null"}]}
