"""The keywords of JSON Schema 2020-12: the values that they accept, and the subschemas that they hold.

Source: https://json-schema.org/draft/2020-12/schema

>>> repair_value("minimum", "1"), repair_value("type", ["STRING", "null"])
(1, ['string', 'null'])
"""

import json
import math
import re
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Final

#: Stands for a value that no repair can save: its keyword is left out.
DROP: Final = object()

MAX_DATA_DEPTH = 100
MAX_NOTE_LENGTH = 200
MAX_PATTERN_LENGTH = 10_000  # longer ones take too long to compile

SCHEMA_KEYWORDS = frozenset(
    (
        *("items", "contains", "additionalProperties", "propertyNames", "if", "then", "else", "not"),
        *("unevaluatedItems", "unevaluatedProperties", "contentSchema"),
    )
)
LIST_KEYWORDS = frozenset(("prefixItems", "allOf", "anyOf", "oneOf"))
MAP_KEYWORDS = frozenset(("properties", "patternProperties", "dependentSchemas", "$defs", "definitions"))
UNION_KEYWORDS = ("anyOf", "oneOf", "allOf")

TYPES = frozenset(("object", "array", "string", "number", "integer", "boolean", "null"))
# The names of types in other vendors' dialects and in programming languages, in lower case. "" accepts any type.
_TYPE_NAMES: dict[str, str] = {name: name for name in TYPES} | {
    **dict.fromkeys(("any", "mixed", "unknown", "type_unspecified", "unspecified"), ""),
    **dict.fromkeys(("int", "int32", "int64", "uint", "long", "short", "bigint"), "integer"),
    **dict.fromkeys(("float", "double", "decimal", "float32", "float64", "numeric"), "number"),
    **dict.fromkeys(("bool",), "boolean"),
    **dict.fromkeys(("dict", "map", "struct", "record", "hash", "json"), "object"),
    **dict.fromkeys(("list", "tuple", "set", "sequence", "vector"), "array"),
    **dict.fromkeys(("str", "text", "char", "varchar", "uuid", "date", "datetime", "file"), "string"),
    **dict.fromkeys(("none", "nil", "void", "undefined"), "null"),
}
_ANCHOR = re.compile(r"[A-Za-z_][-A-Za-z0-9._]*")
_ID = re.compile(r"[^#]*#?")
_FLAGS = {"true": True, "false": False}


def type_of_name(name: str) -> str | None:
    """Return the type that a word means, "" for any type, or None for an unknown word."""
    return _TYPE_NAMES.get(name.lower())


def repair_value(keyword: str, value: Any) -> Any:
    """Return the value of a keyword that holds no schema in a valid form, the same object if it is valid, or DROP."""
    check = _CHECKS.get(keyword)
    return check(value) if check is not None else repair_data(value)


def repair_data(value: Any) -> Any:
    """Return the value, or DROP if it has no form in JSON or is nested too deeply."""
    level = [value]
    for _ in range(MAX_DATA_DEPTH):
        if not all(map(_is_json, level)):
            return DROP
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return value
    return DROP


def is_regex(text: str) -> bool:
    """Return True if Python can compile the pattern. The API checks patterns in the same way."""
    if len(text) > MAX_PATTERN_LENGTH:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


def add_notes(schema: dict[str, Any], notes: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the schema with keywords and values in its description, in the form that Anthropic's SDKs use.

    >>> add_notes({"type": "integer"}, [("minimum", 1), ("maximum", 3)])["description"]
    '{minimum: 1}\\n\\n{maximum: 3}'
    """
    texts = [f"{{{keyword}: {_note_text(value)[:MAX_NOTE_LENGTH]}}}" for keyword, value in notes]
    if not texts:
        return schema
    described = schema.get("description")
    return {**schema, "description": "\n\n".join([described, *texts] if described else texts)}


def _note_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_json(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value)
    return value is None or isinstance(value, str | int | list)


def _string(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    return (
        str(value) if isinstance(value, int | float) and not isinstance(value, bool) else _exact_string(value)
    )


def _exact_string(value: Any) -> Any:
    return value if isinstance(value, str) else DROP


def _matching(pattern: re.Pattern[str]) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, str) and pattern.fullmatch(value) else DROP


def _pattern(value: Any) -> Any:
    return value if isinstance(value, str) and is_regex(value) else DROP


def _flag(value: Any) -> Any:
    if isinstance(value, str):
        return _FLAGS.get(value.lower(), DROP)
    return value if isinstance(value, bool) else DROP


def _number(value: Any) -> Any:
    if isinstance(value, str):
        value = _parse_number(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return DROP
    return repair_data(value)


def _parse_number(text: str) -> int | float | None:
    for parse in (int, float):
        try:
            return parse(text)
        except ValueError:
            continue
    return None


def _positive(value: Any) -> Any:
    number = _number(value)
    return number if number is not DROP and number > 0 else DROP


def _count(value: Any) -> Any:
    number = _number(value)
    if number is DROP or number < 0 or number != int(number):
        return DROP
    return number


def _type(value: Any) -> Any:
    if isinstance(value, str):
        return value if value in TYPES else (type_of_name(value) or DROP)
    if not isinstance(value, list):
        return DROP
    names = [type_of_name(name) for name in value if isinstance(name, str)]
    if "" in names:
        return DROP
    known = list(dict.fromkeys(name for name in names if name))
    if not known:
        return DROP
    return value if known == value else known


def _names(value: Any) -> Any:
    """Repair a list of property names, such as `required`."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        return DROP
    names = list(dict.fromkeys(name for name in value if isinstance(name, str)))
    return value if names == value else names


def _enum(value: Any) -> Any:
    if not isinstance(value, list):
        return DROP if value is None else repair_data([value])
    kept = [item for item in value if repair_data(item) is not DROP]
    if not kept:
        return DROP
    return value if len(kept) == len(value) else kept


def _list(value: Any) -> Any:
    return repair_data(value if isinstance(value, list) else [value])


def _vocabulary(value: Any) -> Any:
    is_valid = isinstance(value, dict) and all(isinstance(flag, bool) for flag in value.values())
    return value if is_valid else DROP


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "type": _type,
    "enum": _enum,
    "required": _names,
    "pattern": _pattern,
    "multipleOf": _positive,
    "examples": _list,
    "$id": _matching(_ID),
    "$vocabulary": _vocabulary,
    **dict.fromkeys(("$anchor", "$dynamicAnchor", "$recursiveAnchor"), _matching(_ANCHOR)),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _number),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _count),
    **dict.fromkeys(("minContains", "maxContains", "minProperties", "maxProperties"), _count),
    **dict.fromkeys(("uniqueItems", "deprecated", "readOnly", "writeOnly"), _flag),
    **dict.fromkeys(("title", "description", "$comment"), _string),
    **dict.fromkeys(("$schema", "$ref", "$dynamicRef", "$recursiveRef"), _exact_string),
    **dict.fromkeys(("format", "contentEncoding", "contentMediaType"), _exact_string),
}
