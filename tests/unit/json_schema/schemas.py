"""Strategies for schemas as clients send them: right ones, wrong ones, and values in the wrong places."""

from typing import Any

from hypothesis import strategies as st

from gateway.json_schema.keywords import LIST_KEYWORDS, MAP_KEYWORDS, SCHEMA_KEYWORDS

NAMES = st.sampled_from(
    ("a", "b", "name", "$select", "Account Number", "größe", "filter[name]", "", "x" * 70, "名前", "value")
)
_WORDS = st.sampled_from(
    (
        *(
            "object",
            "array",
            "string",
            "number",
            "integer",
            "boolean",
            "null",
            "any",
            "int",
            "STRING",
            "float",
        ),
        *("bool", "dict", "list", "Customer", "true", "1", "-1", "1.5", "NaN", "", "date-time", "^[a-z]+$"),
        *(
            r"\p{L}",
            "(",
            "#",
            "#/$defs/a",
            "#/definitions/b",
            "#/properties/a",
            "#/items/0",
            "#/nowhere",
            "#anchor",
        ),
        *(
            "https://json-schema.org/draft/2020-12/schema",
            "http://json-schema.org/draft-04/schema#",
            "a%20b",
            "~1",
        ),
    )
)
_SCALARS = st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | _WORDS
_VALUE_KEYWORDS = st.sampled_from(
    (
        *("type", "enum", "const", "required", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("multipleOf", "minLength", "maxItems", "minContains", "uniqueItems", "pattern", "format", "title"),
        *(
            "description",
            "default",
            "examples",
            "example",
            "nullable",
            "deprecated",
            "discriminator",
            "x-order",
        ),
        *("$schema", "$id", "$ref", "$anchor", "$dynamicRef", "$recursiveAnchor", "$vocabulary", "$comment"),
        *("additionalItems", "dependentRequired", "dependencies"),
    )
)
_SCHEMA_KEYWORDS = st.sampled_from(sorted(SCHEMA_KEYWORDS | LIST_KEYWORDS | MAP_KEYWORDS))


def _grow(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    parts = st.lists(inner, max_size=3) | st.dictionaries(NAMES | _WORDS, inner, max_size=3) | inner
    values = _SCALARS | st.lists(_SCALARS | NAMES, max_size=3) | parts
    return st.builds(
        lambda one, two: {**one, **two},
        st.dictionaries(_SCHEMA_KEYWORDS, parts, max_size=3),
        st.dictionaries(_VALUE_KEYWORDS, values, max_size=4),
    )


#: Anything that a client could send as a schema.
ANY_SCHEMAS: st.SearchStrategy[Any] = st.recursive(_SCALARS | st.just([]), _grow, max_leaves=12)

_LEAVES = st.sampled_from(
    (
        {"type": "string"},
        {"type": "integer"},
        {"type": "boolean"},
        {"enum": ["a", "b", None]},
        {"$ref": "#/$defs/node"},
    )
)


def _grow_valid(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    closed = st.booleans().map(lambda flag: {} if flag else {"additionalProperties": False})
    return st.one_of(
        st.builds(
            lambda properties, rest: {"type": "object", "properties": properties, **rest},
            st.dictionaries(NAMES, inner, max_size=3),
            closed,
        ),
        st.builds(lambda items: {"type": "array", "items": items, "maxItems": 3}, inner),
        st.builds(lambda kinds: {"anyOf": kinds}, st.lists(inner, min_size=1, max_size=2)),
    )


def _with_definition(schema: Any) -> dict[str, Any]:
    node = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/node"}, "first name": {"type": "string"}},
    }
    return {**schema, "$defs": {"node": node}}


#: Valid schemas, with all kinds of property names, of any type at the top.
VALID_SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.recursive(_LEAVES, _grow_valid, max_leaves=8).map(
    _with_definition
)


def values(schema: Any, root: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    """Return a strategy for values that follow a schema of VALID_SCHEMAS."""
    if "$ref" in schema:
        return values(root["$defs"]["node"], root, depth + 1) if depth < 5 else st.just({})
    if "anyOf" in schema:
        return st.one_of([values(inner, root, depth) for inner in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "array":
        return st.lists(values(schema["items"], root, depth + 1), max_size=2 if depth < 4 else 0)
    if schema["type"] == "object":
        properties = schema["properties"] if depth < 5 else {}
        return st.fixed_dictionaries(
            {}, optional={name: values(inner, root, depth + 1) for name, inner in properties.items()}
        )
    return {"string": st.text(max_size=3), "integer": st.integers(), "boolean": st.booleans()}[schema["type"]]
