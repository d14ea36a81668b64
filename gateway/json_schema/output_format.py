"""Express a schema in the part of JSON Schema that the API's structured output knows.

The result never excludes a value that the client's schema allows, with one exception: objects are closed, because the
API requires `additionalProperties: false`. Constraints that the API does not know go into the description.

Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

from orjson import dumps

from gateway.json_schema.keywords import add_notes
from gateway.json_schema.mapping import Schema
from gateway.json_schema.patterns import is_simple_pattern
from gateway.json_schema.references import resolve

FORMATS = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
)
# Limits of the API for one request.
MAX_OPTIONAL = 24
MAX_UNIONS = 16
# References with a description of their own are replaced by their targets, so a small schema may grow large.
MAX_NODES = 2_000

_SILENT = frozenset(
    ("$schema", "$id", "$comment", "$anchor", "$dynamicAnchor", "$vocabulary", "$defs", "definitions")
)
_KEPT_ANNOTATIONS = ("title", "description", "default")
_ANNOTATIONS = _SILENT | {*_KEPT_ANNOTATIONS, "examples", "example", "deprecated", "readOnly", "writeOnly"}
_TYPE_OF_KEYWORD = {
    **dict.fromkeys(("properties", "required", "additionalProperties", "patternProperties"), "object"),
    **dict.fromkeys(("items", "prefixItems", "minItems", "maxItems"), "array"),
    **dict.fromkeys(("pattern", "minLength", "maxLength", "format"), "string"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
}
# Keywords that count for each schema of a union next to them. Others become notes of the union.
_CONTENT = frozenset((*_TYPE_OF_KEYWORD, "type", "enum", "const", "$ref", "allOf"))
_PRIMITIVES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


class Inexpressible(Exception):
    """Structured output cannot express the keyword without excluding values that the client allows."""


def express_format(root: Schema) -> tuple[Schema, bool] | None:
    """Return the schema for `output_config.format`, and True if it lost constraints to descriptions.

    Return None if the schema cannot be expressed.
    """
    builder = _Builder(root)
    try:
        return builder.build(), builder.is_lossy
    except (Inexpressible, CycleError, RecursionError):
        return None


def fit_one_grammar(schemas: Iterable[Schema]) -> bool:
    """Return True if the API can hold all these schemas in one request. Each alone is in the part that it knows."""
    nodes = [node for schema in schemas for node in _walk(schema)]
    optional = sum(len(node.get("properties", {}).keys() - set(node.get("required", ()))) for node in nodes)
    values = [value for node in nodes for value in node.get("properties", {}).values()]
    unions = sum("anyOf" in value or isinstance(value.get("type"), list) for value in values)
    return optional <= MAX_OPTIONAL and unions <= MAX_UNIONS


def _walk(schema: Schema) -> Iterator[Schema]:
    yield schema
    parts = [
        *schema.get("properties", {}).values(),
        *schema.get("$defs", {}).values(),
        *schema.get("anyOf", ()),
    ]
    for inner in [*parts, schema["items"]] if "items" in schema else parts:
        yield from _walk(inner)


class _Builder:
    def __init__(self, root: Schema) -> None:
        self.is_lossy = False
        self._root = root
        self._names: dict[str, str] = {}
        self._used_names: set[str] = set()
        self._endings = Counter[str]()  # how often a reference ended with each name
        self._unbuilt: list[str] = []
        self._uses: dict[str, set[str]] = {}
        self._current = ""
        self._inlined: list[str] = []
        self._nodes = self._optional = self._unions = 0

    def build(self) -> Schema:
        top = self._convert(self._root)
        if top.get("type") != "object":
            raise Inexpressible("type")
        definitions: Schema = {}
        while self._unbuilt:
            reference = self._unbuilt.pop(0)
            self._current = self._names[reference]
            definitions[self._current] = self._convert(self._target(reference))
        TopologicalSorter(self._uses).prepare()  # raises CycleError for a recursive schema
        if self._optional > MAX_OPTIONAL or self._unions > MAX_UNIONS:
            raise Inexpressible("limits")
        if top.get("type") != "object":  # for example an object that has to equal a constant
            raise Inexpressible("const")
        return {**top, "$defs": definitions} if definitions else top

    def _convert(self, schema: Any) -> Schema:
        self._count_node()
        if not isinstance(schema, dict):
            raise Inexpressible("true")
        if schema.get("nullable") is True:
            return _or_null(self._convert(_without(schema, "nullable")))
        if "$ref" in schema:
            return self._reference(schema)
        if "allOf" in schema:
            return self._convert(self._merge([schema]))
        if "anyOf" in schema or "oneOf" in schema:
            return self._union(schema)
        if "enum" in schema or "const" in schema:
            return self._literals(schema)
        return self._typed(schema, schema.get("type") or _infer_type(schema))

    def _count_node(self) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise Inexpressible("size")

    def _typed(self, schema: Schema, kind: str | list[str]) -> Schema:
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            return self._array(schema)
        if isinstance(kind, list) and ("object" in kind or "array" in kind):
            return self._union(_split_types(schema, kind))
        result: Schema = {"type": kind}
        if "string" in kind:
            if schema.get("format") in FORMATS:
                result["format"] = schema["format"]
            if "pattern" in schema and is_simple_pattern(schema["pattern"]):
                result["pattern"] = schema["pattern"]
        return self._finish(result, schema)

    def _object(self, schema: Schema) -> Schema:
        given = schema.get("properties", {})
        required = schema.get("required", [])
        is_closed = schema.get("additionalProperties", not given) is False
        if not is_closed or "patternProperties" in schema or not given.keys() >= set(required):
            raise Inexpressible("additionalProperties")
        properties = {name: self._convert(inner) for name, inner in given.items()}
        self._optional += len(properties) - len(required)
        self._unions += sum(_is_union(inner) for inner in properties.values())
        result = {"type": "object", "properties": properties, "additionalProperties": False}
        return self._finish({**result, "required": required} if required else result, schema)

    def _array(self, schema: Schema) -> Schema:
        rest = schema.get("items", False)
        kinds = [*schema.get("prefixItems", []), *([rest] if rest is not False else [])]
        items = [self._convert(inner) for inner in _distinct(kinds)]
        if not items:
            raise Inexpressible("items")
        result: Schema = {"type": "array", "items": items[0] if len(items) == 1 else {"anyOf": items}}
        if schema.get("minItems") in (0, 1):
            result["minItems"] = schema["minItems"]
        return self._finish(result, schema)

    def _literals(self, schema: Schema) -> Schema:
        values = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
        if any(isinstance(value, dict | list) for value in values):
            raise Inexpressible("enum")
        result: Schema = {key: value for key, value in schema.items() if key in ("enum", "const")}
        if isinstance(kind := schema.get("type"), str) and all(_has_type(value, kind) for value in values):
            result["type"] = kind
        return self._finish(result, _without(schema, "type"))

    def _union(self, schema: Schema) -> Schema:
        if "anyOf" in schema and "oneOf" in schema:
            raise Inexpressible("oneOf")
        keyword = "anyOf" if "anyOf" in schema else "oneOf"
        branches = [branch for branch in schema[keyword] if branch is not False]
        base = {key: value for key, value in schema.items() if key in _CONTENT}
        if base and all(isinstance(branch, dict) and not branch.keys() - _WIDENING for branch in branches):
            return self._finish(self._convert(_without(schema, keyword)), {keyword: schema[keyword]})
        if base:
            branches = [self._merge([base, branch]) for branch in branches]
        converted = [self._convert(branch) for branch in branches]
        if not converted:
            raise Inexpressible(keyword)
        is_single = len(converted) == 1 and "$ref" not in converted[0]  # a reference has no other keywords
        result = converted[0] if is_single else {"anyOf": converted}
        rest = {key: value for key, value in schema.items() if key not in _CONTENT and key != keyword}
        return self._finish(result, rest)

    def _reference(self, schema: Schema) -> Schema:
        reference = schema["$ref"]
        if schema.keys() - _SILENT != {"$ref"}:
            if reference in self._inlined:
                raise Inexpressible("$ref")
            self._inlined.append(reference)
            converted = self._convert(self._merge([schema]))
            self._inlined.pop()
            return converted
        if reference not in self._names:
            self._target(reference)
            self._names[reference] = self._new_name(reference)
            self._unbuilt.append(reference)
        name = self._names[reference]
        self._uses.setdefault(self._current, set()).add(name)
        return {"$ref": f"#/$defs/{name}"}

    def _new_name(self, reference: str) -> str:
        name = "".join(
            char if char.isalnum() or char in "_.-" else "_" for char in reference.rpartition("/")[2]
        )
        self._endings[name] += 1
        if self._endings[name] > 1:
            name = f"{name}_{self._endings[name]}"
        while not name or name in self._used_names:
            name += "_"
        self._used_names.add(name)
        return name

    def _target(self, reference: str) -> Any:
        found = resolve(self._root, reference)
        if found is None or found[1] is self._root:
            raise Inexpressible("$ref")
        return found[1]

    def _merge(self, parts: Iterable[Any], seen: tuple[str, ...] = ()) -> Schema:
        """Return one schema that stands for all `parts` together, with their references replaced."""
        merged: Schema = {}
        for part in parts:
            if not isinstance(part, dict):
                raise Inexpressible("allOf")
            part = self._flatten(part, seen)
            for keyword, value in part.items():
                merged[keyword] = _combine(keyword, merged[keyword], value) if keyword in merged else value
        return merged

    def _flatten(self, part: Schema, seen: tuple[str, ...]) -> Schema:
        self._count_node()
        if "$ref" in part:
            reference = part["$ref"]
            if reference in seen:
                raise Inexpressible("$ref")
            part = self._merge([_without(part, "$ref"), self._target(reference)], (*seen, reference))
        if "allOf" in part:
            part = self._merge([_without(part, "allOf"), *part["allOf"]], seen)
        return part

    def _finish(self, result: Schema, schema: Schema) -> Schema:
        """Return the result with the annotations of the schema, and notes about everything that it lost."""
        kept = {key: schema[key] for key in _KEPT_ANNOTATIONS if key in schema}
        finished = {**result, **kept}
        found = finished.keys() | _SILENT | _EXPRESSED
        lost = [(keyword, value) for keyword, value in schema.items() if keyword not in found]
        self.is_lossy = self.is_lossy or bool(lost)
        finished = add_notes(finished, lost)
        return {key: finished[key] for key in schema if key in finished} | finished


_WIDENING = frozenset(("required", "not", "title", "description", "$comment"))
_EXPRESSED = frozenset(("type", "properties", "required", "additionalProperties", "items"))


def _combine(keyword: str, one: Any, other: Any) -> Any:
    """Return the value of a keyword for a schema that stands for two schemas together."""
    if one == other or keyword in _ANNOTATIONS:
        return one
    if keyword == "required":
        return list(dict.fromkeys([*one, *other]))
    if keyword == "properties" and all(one[name] == other[name] for name in one.keys() & other.keys()):
        return {**one, **other}
    if keyword == "additionalProperties" and (one is False or other is False):
        return False
    raise Inexpressible(keyword)


def _infer_type(schema: Schema) -> str:
    kind = next((_TYPE_OF_KEYWORD[keyword] for keyword in schema if keyword in _TYPE_OF_KEYWORD), None)
    if kind is None:
        raise Inexpressible("type")
    return kind


def _split_types(schema: Schema, kinds: list[str]) -> Schema:
    """Return a union of one schema for each type."""
    rest = {key: value for key, value in schema.items() if key not in _ANNOTATIONS and key != "type"}
    branches = [
        {"type": kind, **{key: value for key, value in rest.items() if _belongs(key, kind)}} for kind in kinds
    ]
    return {"anyOf": branches, **{key: value for key, value in schema.items() if key in _ANNOTATIONS}}


def _belongs(keyword: str, kind: str) -> bool:
    owner = _TYPE_OF_KEYWORD.get(keyword)
    return owner == kind or (owner == "number" and kind == "integer") or (owner is None and kind == "object")


def _or_null(schema: Schema) -> Schema:
    if (
        isinstance(schema.get("type"), str)
        and schema["type"] not in ("object", "array")
        and "enum" not in schema
    ):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _is_union(schema: Schema) -> bool:
    return "anyOf" in schema or isinstance(schema.get("type"), list)


def _has_type(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _PRIMITIVES.get(kind, ()))


def _distinct(schemas: list[Any]) -> list[Any]:
    return list({dumps(schema): schema for schema in schemas}.values())


def _without(schema: Schema, keyword: str) -> Schema:
    return {key: value for key, value in schema.items() if key != keyword}
