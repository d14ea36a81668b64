"""Rules for JSON schemas: the limits of structured output, by Anthropic's documentation.

Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
Messages are as users reported them where a report is known. The documentation does not say if a schema of another type
than object may stand at the top, so the stand-in rejects it.
"""

import marshal
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from .models import Model
from .prompt import Body

_WHERE = "output_config.format"
_COMMON = frozenset(("type", "title", "description", "default", "enum", "const", "$defs", "definitions"))
_BY_TYPE = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems"},
    "string": {"format", "pattern"},
}
_CONTENT = ("type", "enum", "const", "anyOf", "allOf", "$ref")
FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
_COMPLEX_PATTERN = re.compile(r"\(\?|\\[1-9bBpPk]|\{\d{4,}")
MAX_OPTIONAL, MAX_UNIONS = 24, 16


def invalid_json_schema(schema: Any) -> bool:
    """Return whether a value is not a schema of JSON Schema 2020-12."""
    return _is_invalid(marshal.dumps(schema))


@lru_cache(maxsize=4096)  # a check takes about a millisecond, and requests repeat their tools
def _is_invalid(dumped: bytes) -> bool:
    try:
        Draft202012Validator.check_schema(marshal.loads(dumped))
    except SchemaError:
        return True
    return False


def output_format(body: Body, model: Model) -> Iterator[str]:
    """Yield the problems of `output_config.format`."""
    wanted = (body.get("output_config") or {}).get("format")
    if wanted is None:
        return
    if not model.structured_outputs_ok:
        yield f"'{model.id}' does not support output format."
    if problem := _first_problem(marshal.dumps(wanted["schema"])):
        yield f"{_WHERE}.schema: {problem}"


@lru_cache(maxsize=256)
def _first_problem(dumped: bytes) -> str | None:
    return next(_root(marshal.loads(dumped)), None)


def _root(schema: dict[str, Any]) -> Iterator[str]:
    if invalid_json_schema(schema):
        yield "JSON schema is invalid. It must match JSON Schema draft 2020-12"
    if schema.get("type") != "object":
        yield "The root schema must be of type 'object'"
    yield from grammar_problems([schema])


def grammar_problems(schemas: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the reasons why the API cannot compile a grammar for these valid schemas together."""
    nodes = [node for schema in schemas for node in subschemas(schema)]
    for node in nodes:
        yield from _node(node)
    for schema in schemas:
        yield from _references(schema)
    yield from _complexity(nodes)


def _node(schema: Any) -> Iterator[str]:
    if not isinstance(schema, dict) or not any(keyword in schema for keyword in _CONTENT):
        yield "Schema must have a 'type', 'anyOf', 'allOf', '$ref', 'enum' or 'const' field"
        return
    if "$ref" in schema:
        yield from (
            ["Properties next to '$ref' are not supported"] if schema.keys() - {"$ref", "$defs"} else []
        )
        return
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    known = _COMMON.union(*(_BY_TYPE.get(kind, set()) for kind in kinds), {"anyOf", "allOf"})
    if unknown := sorted(schema.keys() - known):
        yield f"For '{kinds[0] if kinds else 'any'}' type, properties {', '.join(unknown)} are not supported"
    yield from _values(schema, kinds)


def _values(schema: Any, kinds: list[str]) -> Iterator[str]:
    if "object" in kinds and schema.get("additionalProperties") is not False:
        yield "For 'object' type, 'additionalProperties' must be explicitly set to false"
    if "array" in kinds and "items" not in schema:
        yield "For 'array' type, 'items' is required"
    if schema.get("minItems", 0) not in (0, 1):
        yield "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    if schema.get("format", "date") not in FORMATS:
        yield f"For 'string' type, format '{schema['format']}' is not supported"
    if _COMPLEX_PATTERN.search(schema.get("pattern", "")):
        yield "For 'string' type, this 'pattern' is not supported"
    if any(isinstance(value, dict | list) for value in [*schema.get("enum", ()), schema.get("const")]):
        yield "Complex types in enums are not supported"
    if any("$ref" in inner for inner in schema.get("allOf", ())):
        yield "'allOf' with '$ref' is not supported"


def _references(root: dict[str, Any]) -> Iterator[str]:
    references = [node["$ref"] for node in subschemas(root) if "$ref" in node]
    if not all(re.fullmatch(r"#/(\$defs|definitions)/[^/]+", reference) for reference in references):
        yield "External or nested references are not supported"
    elif _is_recursive(root):
        yield "Circular reference detected in schema definitions"


def _complexity(nodes: list[Any]) -> Iterator[str]:
    optional = sum(len(node.get("properties", {}).keys() - set(node.get("required", ()))) for node in nodes)
    if optional > MAX_OPTIONAL:
        yield f"Schemas contains too many optional parameters ({optional}); the limit is {MAX_OPTIONAL}"
    unions = sum(_is_union(inner) for node in nodes for inner in node.get("properties", {}).values())
    if unions > MAX_UNIONS:
        yield f"Schemas contains too many parameters with union types ({unions}); the limit is {MAX_UNIONS}"


def _is_union(schema: Any) -> bool:
    return "anyOf" in schema or isinstance(schema.get("type"), list)


def _is_recursive(root: dict[str, Any]) -> bool:
    definitions = {**root.get("definitions", {}), **root.get("$defs", {})}
    uses = {
        name: {node["$ref"].rpartition("/")[2] for node in subschemas(schema) if "$ref" in node}
        for name, schema in definitions.items()
    }
    while removable := [name for name, used in uses.items() if not used & uses.keys()]:
        for name in removable:
            del uses[name]
    return bool(uses)


def subschemas(schema: Any) -> Iterator[Any]:
    """Yield a schema and the schemas inside it."""
    yield schema
    if not isinstance(schema, dict):
        return
    for keyword in ("properties", "$defs", "definitions"):
        for inner in schema.get(keyword, {}).values():
            yield from subschemas(inner)
    for keyword in ("anyOf", "allOf"):
        for inner in schema.get(keyword, ()):
            yield from subschemas(inner)
    if "items" in schema:
        yield from subschemas(schema["items"])
