"""Repair a schema of any draft or dialect, with any mistakes, to a valid schema of JSON Schema 2020-12.

The repair is minimal and deterministic, and it keeps the order of keys. A part that is valid is returned as the same
object. A value that has to go is named in the description, so that the model still reads it.

>>> repair_schema({"type": "STRING", "minLength": "2", "required": True})
Repaired(schema={'type': 'string', 'minLength': 2}, aliases={})
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.json_schema.keywords import (
    DROP,
    LIST_KEYWORDS,
    MAP_KEYWORDS,
    SCHEMA_KEYWORDS,
    add_notes,
    is_regex,
    repair_value,
    type_of_name,
)
from gateway.json_schema.mapping import Schema

# Schemas below this depth accept anything. It bounds the recursion here, and stays below the depth that orjson writes.
MAX_DEPTH = 50

#: Further patterns of a schema become notes: compiling a megabyte of them would block other requests for seconds.
MAX_PATTERN_CHARACTERS = 50_000

_VALID_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_INVALID_CHARACTERS = re.compile(r"[^a-zA-Z0-9_.-]+")
_MATCHES_ALL = frozenset(("", ".*", "^.*", ".*$", "^.*$", "^(.*)$", "(.*)", "^"))


@dataclass(frozen=True, slots=True)
class Repaired:
    """A valid schema, and the new names of the properties that had to be renamed."""

    schema: Schema | bool
    aliases: Mapping[str, str]


def repair_schema(given: Any) -> Repaired:
    """Return a valid schema for anything that stands in the place of one. References are not checked."""
    repair = _Repair()
    schema = repair.subschema(given, 0)
    return Repaired({} if schema is DROP else schema, repair.aliases)


def alias_of(name: str) -> str:
    """Return the name that replaces a property name which the API rejects; a valid name stays.

    >>> alias_of("Account Number")
    'Account_Number_a4783e'
    """
    if _VALID_NAME.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    readable = _INVALID_CHARACTERS.sub("_", name)[:50].strip("_") or "property"
    return f"{readable}_{digest}"


class _Repair:
    def __init__(self) -> None:
        self.aliases: dict[str, str] = {}
        self._pattern_characters = 0

    def subschema(self, given: Any, depth: int) -> Any:
        """Return a valid schema for `given`, the same object if it is valid, or DROP if it says nothing."""
        if isinstance(given, dict):
            return self._object(given, depth) if depth < MAX_DEPTH else {}
        if isinstance(given, bool):
            return given
        if isinstance(given, str):
            return _schema_of_word(given)
        return {} if given == [] else DROP  # PHP writes an empty object as an empty list

    def _object(self, given: Schema, depth: int) -> Schema:
        modern = _modernize(given)
        repaired: Schema = {}
        lost: list[tuple[str, Any]] = []
        is_same = modern is given
        for keyword, value in modern.items():
            kept = self._value(keyword, value, depth + 1)
            if kept is DROP:
                lost.append((keyword, value))
            else:
                repaired[keyword] = kept
            is_same = is_same and kept is value
        if is_same:
            return given
        return add_notes(repaired, [loss for loss in lost if _is_worth_a_note(*loss)])

    def _value(self, keyword: str, value: Any, depth: int) -> Any:
        if keyword in SCHEMA_KEYWORDS:
            return self.subschema(value, depth)
        if keyword in MAP_KEYWORDS:
            return self._map(keyword, value, depth)
        if keyword in LIST_KEYWORDS:
            return self._list(value, depth)
        if keyword in ("dependencies", "dependentRequired"):
            return self._dependencies(keyword, value, depth)
        if keyword == "pattern" and isinstance(value, str):
            self._pattern_characters += len(value)
            if self._pattern_characters > MAX_PATTERN_CHARACTERS:
                return DROP
        return repair_value(keyword, value)

    def _map(self, keyword: str, value: Any, depth: int) -> Any:
        if value == []:
            return {}
        if not isinstance(value, dict):
            return DROP
        repaired: Schema = {}
        is_same = True
        for name, inner in value.items():
            kept = self.subschema(inner, depth)
            kept = {} if kept is DROP else kept
            new_name = self._rename(name) if keyword == "properties" else name
            if new_name != name:
                kept = _name_in_description(kept, name)
            repaired[new_name] = kept
            is_same = is_same and kept is inner and new_name == name
        return value if is_same else repaired

    def _rename(self, name: str) -> str:
        alias = alias_of(name)
        if alias != name:
            self.aliases[name] = alias
        return alias

    def _list(self, value: Any, depth: int) -> Any:
        given = [value] if isinstance(value, dict) else value
        if not isinstance(given, list):
            return DROP
        schemas = [self.subschema(inner, depth) for inner in given]
        kept = [schema for schema in schemas if schema is not DROP]
        if not kept:
            return DROP
        is_same = given is value and len(kept) == len(given)
        return value if is_same and all(map(_is, kept, given)) else kept

    def _dependencies(self, keyword: str, value: Any, depth: int) -> Any:
        """Repair the draft-07 keyword, which holds names or schemas, and the newer one, which holds only names."""
        if not isinstance(value, dict):
            return DROP
        kept = {name: self._dependency(keyword, inner, depth) for name, inner in value.items()}
        kept = {name: inner for name, inner in kept.items() if inner is not DROP}
        is_same = len(kept) == len(value) and all(kept[name] is value[name] for name in kept)
        return value if is_same else kept

    def _dependency(self, keyword: str, inner: Any, depth: int) -> Any:
        if keyword == "dependencies" and isinstance(inner, dict | bool):
            return self.subschema(inner, depth)
        return repair_value("required", inner)


def _is(one: Any, other: Any) -> bool:
    return one is other


def _is_worth_a_note(keyword: str, value: Any) -> bool:
    is_default = keyword == "type" and isinstance(value, str) and type_of_name(value) == ""
    is_text = isinstance(value, str) and bool(value)
    return not is_default and (is_text or (isinstance(value, int) and not isinstance(value, bool)))


def _name_in_description(schema: Schema | bool, name: str) -> Schema | bool:
    if schema is False:
        return schema
    note = ("name", name.encode("utf-8", "replace").decode())
    return add_notes({} if schema is True else schema, [note])


def _schema_of_word(word: str) -> Schema | bool:
    """Return the schema that a single word stands for, for example {"type": "string"} for "string"."""
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    known = type_of_name(word)
    if known is None:
        return {"description": word} if word else {}
    return {"type": known} if known else {}


def _modernize(given: Schema) -> Schema:
    """Return a schema with the keywords of older drafts in the form of 2020-12, or `given` if it has none."""
    schema = given
    for rewrite in (_rewrite_tuple, _rewrite_bounds, _rewrite_properties, _rewrite_patterns):
        schema = rewrite(schema)
    return schema


def _rewrite_tuple(schema: Schema) -> Schema:
    """Rewrite `items: [A, B]`, the tuples of draft-07, as `prefixItems`."""
    items = schema.get("items")
    if not isinstance(items, list) or not items:
        return _without(schema, "items") if isinstance(items, list) else schema
    renamed = {"items": "prefixItems", "additionalItems": "items"}
    return {
        renamed.get(keyword, keyword): value for keyword, value in schema.items() if keyword != "prefixItems"
    }


def _rewrite_bounds(schema: Schema) -> Schema:
    """Rewrite `exclusiveMinimum: true`, as in draft-04 and OpenAPI 3.0, as a number."""
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if schema.get(exclusive) is True and bound in schema:
            limit = schema[bound]
            schema = {
                key: limit if key == exclusive else value for key, value in schema.items() if key != bound
            }
        elif isinstance(schema.get(exclusive), bool):
            schema = _without(schema, exclusive)
    return schema


def _rewrite_properties(schema: Schema) -> Schema:
    """Rewrite properties that are a list, and properties that say themselves that they are required."""
    properties = schema.get("properties")
    if isinstance(properties, list) and all(_is_named(item) for item in properties):
        properties = {item["name"]: _without(item, "name") for item in properties}
        schema = {**schema, "properties": properties}
    if not isinstance(properties, dict):
        return schema
    needed = [
        name
        for name, inner in properties.items()
        if isinstance(inner, dict) and inner.get("required") is True
    ]
    if not needed:
        return schema
    listed = schema.get("required")
    return {**schema, "required": [*(listed if isinstance(listed, list) else ()), *needed]}


def _is_named(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("name"), str)


def _rewrite_patterns(schema: Schema) -> Schema:
    """Rewrite patterns that match all names, or that Python cannot compile, as `additionalProperties`.

    The API rejects both. Source: https://github.com/openclaw/openclaw/issues/29416
    """
    patterns = schema.get("patternProperties")
    if not isinstance(patterns, dict):
        return schema
    rejected = [pattern for pattern in patterns if pattern in _MATCHES_ALL or not is_regex(pattern)]
    if not rejected:
        return schema
    rest = {pattern: inner for pattern, inner in patterns.items() if pattern not in rejected}
    changed = {**schema, "patternProperties": rest} if rest else _without(schema, "patternProperties")
    if changed.get("additionalProperties", False) is False:
        changed = {**changed, "additionalProperties": patterns[rejected[0]]}
    return changed


def _without(schema: Schema, keyword: str) -> Schema:
    return {key: value for key, value in schema.items() if key != keyword}
