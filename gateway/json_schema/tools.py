"""Adapt the schema of a tool's parameters to what the API accepts as a tool's `input_schema`.

On top of a valid schema, the API requires type "object" at the top, and no `anyOf`, `oneOf` or `allOf` there. A schema
that is not of this kind is put inside an object with one property. The first pass over a schema takes about a
millisecond per 20 KB, so results are cached.
"""

from typing import Any

from gateway.json_schema.cache import cached_by_text
from gateway.json_schema.keywords import UNION_KEYWORDS
from gateway.json_schema.mapping import WRAPPER, AdaptedSchema, Schema, ValueMapping
from gateway.json_schema.references import map_subschemas, resolve, settle_references
from gateway.json_schema.repair import repair_schema

MAX_STEPS = 20

# Keywords that say nothing about values. They may stand next to a reference that is replaced by its target.
_ANNOTATIONS = frozenset(
    (
        *(
            "$schema",
            "$id",
            "$defs",
            "definitions",
            "$comment",
            "title",
            "description",
            "default",
            "examples",
        ),
        *("deprecated", "readOnly", "writeOnly"),
    )
)
# Keywords that describe something other than an object, if there is no type.
_OTHER_THAN_OBJECT = frozenset(("enum", "const", "items", "prefixItems"))


@cached_by_text(maxsize=512)
def adapt_tool_schema(given: Any) -> AdaptedSchema:
    """Return the nearest schema that the API accepts for a tool. It accepts any value, also None for no parameters.

    A schema that the API accepts is returned unchanged.
    """
    return adapt(given)


def adapt(given: Any) -> AdaptedSchema:
    """Do the same as `adapt_tool_schema`, without its cache."""
    if given is None:
        return AdaptedSchema({"type": "object", "properties": {}})
    schema, aliases = _repair(given)
    at_top = make_object(expand_top(schema))
    is_wrapped = at_top is None
    if at_top is None:
        at_top, _ = _repair(wrap(schema))
    mapping = ValueMapping(aliases, is_wrapped) if aliases or is_wrapped else None
    return AdaptedSchema(at_top, at_top is not given, mapping)


def _repair(given: Any) -> tuple[Schema, dict[str, str]]:
    repaired = repair_schema(given)
    schema = repaired.schema if isinstance(repaired.schema, dict) else {}
    return settle_references(schema, repaired.aliases), dict(repaired.aliases)


def expand_top(schema: Schema) -> Schema:
    """Return the schema with a reference at the top, or a union of one, replaced by what it stands for."""
    root = schema
    for _ in range(MAX_STEPS):
        inner = _only_content(root, schema)
        if inner is None:
            return schema
        schema = {**{key: value for key, value in schema.items() if key in _ANNOTATIONS}, **inner}
    return schema


def _only_content(root: Schema, schema: Schema) -> Schema | None:
    content = [key for key in schema if key not in _ANNOTATIONS and (key, schema[key]) != ("type", "object")]
    if content == ["$ref"]:
        found = resolve(root, schema["$ref"])
        return found[1] if found is not None and isinstance(found[1], dict) else None
    if len(content) == 1 and content[0] in UNION_KEYWORDS and len(schema[content[0]]) == 1:
        [inner] = schema[content[0]]
        return inner if isinstance(inner, dict) else None
    return None


def make_object(schema: Schema) -> Schema | None:
    """Return the schema with type "object" at the top, or None if it has to be wrapped."""
    if "$ref" in schema or any(keyword in schema for keyword in UNION_KEYWORDS):
        return None
    kind = schema.get("type")
    if kind == "object":
        return schema
    if kind is None and not _OTHER_THAN_OBJECT & schema.keys():
        return {"type": "object", **schema}
    if isinstance(kind, list) and "object" in kind:
        return {**schema, "type": "object"}
    return None


def wrap(schema: Schema) -> Schema:
    """Return the schema of an object whose only property, a required one, follows `schema`."""
    inner = _move_references({key: value for key, value in schema.items() if key not in ("$schema", "$id")})
    head = {"$schema": schema["$schema"]} if "$schema" in schema else {}
    return {
        **head,
        "type": "object",
        "properties": {WRAPPER: inner},
        "required": [WRAPPER],
        "additionalProperties": False,
    }


def _move_references(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    schema = map_subschemas(schema, _move_references)
    reference = schema.get("$ref")
    if isinstance(reference, str) and (reference in ("", "#") or reference.startswith("#/")):
        return {**schema, "$ref": f"#/properties/{WRAPPER}{reference[1:]}"}
    return schema
