"""Repairs of tools' schemas. The table holds what clients were reported to send."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from gateway.json_schema import adapt_tool_schema
from gateway.json_schema.keywords import MAX_PATTERN_LENGTH
from gateway.json_schema.references import resolve
from gateway.json_schema.repair import MAX_PATTERN_CHARACTERS
from tests.unit.json_schema.schemas import ANY_SCHEMAS, VALID_SCHEMAS, values

PROPERTY_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}")

#: A property as a client sends it, and as the model is offered it.
PROPERTIES: list[tuple[Any, Any]] = [
    # https://github.com/anthropics/claude-code/issues/5878 and the reports that it collects
    ({"type": "int"}, {"type": "integer"}),
    ({"type": "STRING"}, {"type": "string"}),
    ({"type": "float"}, {"type": "number"}),
    ({"type": "bool"}, {"type": "boolean"}),
    ({"type": "dict"}, {"type": "object"}),
    ({"type": "List"}, {"type": "array"}),
    ({"type": "any"}, {}),
    ({"type": None}, {}),
    ({"type": ["STRING", "null", "Foo"]}, {"type": ["string", "null"]}),
    ({"type": "Customer"}, {"description": "{type: Customer}"}),
    ({"type": "Customer", "description": "Who pays."}, {"description": "Who pays.\n\n{type: Customer}"}),
    ({"type": "object", "properties": []}, {"type": "object", "properties": {}}),
    ({"type": "object", "properties": None}, {"type": "object"}),
    ({"type": "object", "required": {}}, {"type": "object"}),
    ({"type": "object", "required": "a"}, {"type": "object", "required": ["a"]}),
    ({"type": "object", "required": ["a", "a", 1]}, {"type": "object", "required": ["a"]}),
    (
        {"type": "object", "properties": {"a": {"type": "string", "required": True}}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    ),
    (
        {"type": "object", "properties": [{"name": "a", "type": "string"}]},
        {"type": "object", "properties": {"a": {"type": "string"}}},
    ),
    # https://github.com/kintone/mcp-server/issues/553
    (
        {"type": "array", "items": [{"type": "string"}], "additionalItems": False},
        {"type": "array", "prefixItems": [{"type": "string"}], "items": False},
    ),
    ({"type": "array", "items": []}, {"type": "array"}),
    ({"type": "array", "items": "string"}, {"type": "array", "items": {"type": "string"}}),
    ({"minimum": "1", "maximum": "ten"}, {"minimum": 1, "description": "{maximum: ten}"}),
    ({"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}),
    ({"minimum": 1, "exclusiveMinimum": False}, {"minimum": 1}),
    ({"minLength": -1, "maxLength": "5"}, {"description": "{minLength: -1}", "maxLength": 5}),
    ({"pattern": r"\p{L}+"}, {"description": r"{pattern: \p{L}+}"}),
    # https://github.com/openclaw/openclaw/issues/29416
    ({"type": "object", "patternProperties": {"^(.*)$": {}}}, {"type": "object", "additionalProperties": {}}),
    ({"anyOf": [{"type": "int"}, None]}, {"anyOf": [{"type": "integer"}]}),
    ({"anyOf": []}, {}),
    ({"enum": "a"}, {"enum": ["a"]}),
    ({"enum": []}, {}),
    ({"title": 5, "description": ["One.", "Two."]}, {"title": "5", "description": "One.\nTwo."}),
    ({"additionalProperties": "false"}, {"additionalProperties": False}),
    ({"$ref": "#/$defs/nowhere"}, {"description": "{$ref: #/$defs/nowhere}"}),
    ({"$ref": "https://example.com/x.json"}, {"description": "{$ref: https://example.com/x.json}"}),
    ({"$anchor": "1 2"}, {"description": "{$anchor: 1 2}"}),
    (None, {}),
    ([], {}),
    ("string", {"type": "string"}),
    ("how many", {"description": "how many"}),
    (5, {}),
]

#: Properties that the API accepts as they are.
ACCEPTED: list[Any] = [
    {
        "type": ["string", "null"],
        "nullable": True,
        "x-order": 3,
        "example": {"a": [1]},
        "description": "µg/m³",
    },
    {"type": "array", "prefixItems": [{"type": "string"}], "items": False},
    {"enum": ["µg/m³", "10⁻³", 1, None], "default": 1.5, "examples": []},
    {
        "type": "object",
        "patternProperties": {"^x-": {}},
        "additionalProperties": True,
        "required": ["unlisted"],
    },
    {"oneOf": [{"const": 1}, {"not": {"type": "null"}}], "discriminator": {"propertyName": "kind"}},
    {"type": "string", "format": "anything", "pattern": "^a.c$", "minLength": 2.0},
    {"$ref": "#/properties/tree", "description": "A node."},
    True,
]


@pytest.mark.parametrize(("sent", "offered"), PROPERTIES, ids=lambda value: json.dumps(value)[:40])
def test_property_is_repaired(sent: Any, offered: Any) -> None:
    adapted = adapt_tool_schema({"type": "object", "properties": {"p": sent}})
    assert adapted.schema == {"type": "object", "properties": {"p": offered}}
    assert adapted.is_repaired
    assert adapted.mapping is None


@pytest.mark.parametrize("sent", ACCEPTED, ids=lambda value: json.dumps(value)[:40])
def test_accepted_schema_stays_as_it_is(sent: Any) -> None:
    tree = {"type": "array", "items": {"$ref": "#/properties/tree"}}
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"p": sent, "tree": tree},
    }
    adapted = adapt_tool_schema(schema)
    assert json.dumps(adapted.schema) == json.dumps(schema)
    assert not adapted.is_repaired


@pytest.mark.parametrize("nothing", [True, [], {}, {"type": None}, {"properties": []}, "", 5])
def test_schema_that_says_nothing_is_an_object(nothing: Any) -> None:
    assert adapt_tool_schema(nothing).schema["type"] == "object"


def test_tool_without_a_schema_has_no_parameters() -> None:
    adapted = adapt_tool_schema(None)
    assert (adapted.schema, adapted.is_repaired) == ({"type": "object", "properties": {}}, False)


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("$select", "select_e1e2ea"),
        ("Account Number", "Account_Number_a4783e"),
        ("filter[name]", "filter_name_259d80"),
        ("名前", "property_7ec262"),
    ],
)
def test_property_name_that_the_api_rejects_is_renamed_everywhere(name: str, alias: str) -> None:
    """The API accepts `^[a-zA-Z0-9_.-]{1,64}$`."""
    inner = {
        "type": "object",
        "properties": {name: {"type": "string"}},
        "required": [name],
        "default": {name: "x"},
    }
    schema = {"type": "object", "properties": {"list": {"type": "array", "items": {"$ref": "#/$defs/a"}}}}
    schema |= {"$defs": {"a": inner, "b": {"$ref": f"#/$defs/a/properties/{name}"}}}
    adapted = adapt_tool_schema(schema)
    assert adapted.schema["$defs"]["a"] == {
        "type": "object",
        "properties": {alias: {"type": "string", "description": f"{{name: {name}}}"}},
        "required": [alias],
        "default": {alias: "x"},
    }
    assert adapted.schema["$defs"]["b"] == {"$ref": f"#/$defs/a/properties/{alias}"}
    assert adapted.to_client({"list": [{alias: 1}]}) == {"list": [{name: 1}]}
    assert adapted.to_model({"list": [{name: 1}]}) == {"list": [{alias: 1}]}


def test_reference_at_the_top_is_replaced_by_its_target() -> None:
    target = {"type": "object", "properties": {"a": {"$ref": "#/definitions/X"}}}
    adapted = adapt_tool_schema({"$ref": "#/definitions/X", "definitions": {"X": target}})
    assert adapted.schema == {"definitions": {"X": target}, **target}
    assert adapted.mapping is None


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [{"type": "object", "properties": {"a": {}}}, {"type": "object", "properties": {"b": {}}}]},
        {"type": "object", "properties": {"a": {}}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}], "$defs": {"a": {}, "b": {"$ref": "#"}}},
        {"type": "array", "items": {"type": "string"}},
        {"type": ["string", "null"]},
        {"enum": [1, 2]},
    ],
)
def test_top_that_is_not_an_object_is_wrapped(schema: dict[str, Any]) -> None:
    adapted = adapt_tool_schema(schema)
    assert adapted.schema["type"] == "object"
    assert list(adapted.schema["properties"]) == ["value"]
    assert adapted.to_client({"value": [1]}) == [1]
    assert adapted.to_client([1]) == [1]
    assert adapted.to_model([1]) == {"value": [1]}
    assert [target for _, target in _references(adapted.schema) if target is None] == []


def test_union_of_one_at_the_top_is_not_wrapped() -> None:
    adapted = adapt_tool_schema({"allOf": [{"properties": {"a": {}}}], "description": "All."})
    assert adapted.schema == {"type": "object", "description": "All.", "properties": {"a": {}}}


def test_references_that_lead_in_a_circle_are_dropped() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/properties/b"}, "b": {"$ref": "#/properties/a"}},
    }
    properties = adapt_tool_schema(schema).schema["properties"]
    assert [list(inner) for inner in properties.values()] == [["description"], ["description"]]


def test_anchor_is_a_target() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#here"}, "b": {"$anchor": "here"}}}
    assert not adapt_tool_schema(schema).is_repaired


def test_very_deep_schema_is_cut() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(2_000):
        schema = {"type": "object", "properties": {"a": schema}, "default": {"a": [[]]}}
    adapted = adapt_tool_schema(schema)
    Draft202012Validator.check_schema(adapted.schema)
    orjson.dumps([{"tools": [adapted.schema]}])  # raises at 255 levels


def test_deep_values_are_renamed() -> None:
    value: Any = 1
    for _ in range(5_000):
        value = {"$a": [value]}
    adapted = adapt_tool_schema({"type": "object", "properties": {"$a": {}}})
    renamed = adapted.to_client(adapted.to_model(value))
    for _ in range(5_000):
        [renamed] = renamed["$a"]
    assert renamed == 1


def test_huge_enum_stays() -> None:
    schema = {"type": "object", "properties": {"a": {"enum": [f"value {index}" for index in range(50_000)]}}}
    assert adapt_tool_schema(schema).schema is schema


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(ANY_SCHEMAS)
def test_any_input_becomes_a_schema_that_the_api_accepts(schema: Any) -> None:
    before = deepcopy(schema)
    adapted = adapt_tool_schema(schema)
    assert repr(schema) == repr(before)
    Draft202012Validator.check_schema(adapted.schema)
    assert adapted.schema["type"] == "object"
    assert not {"anyOf", "oneOf", "allOf", "$ref"} & adapted.schema.keys()
    assert all(map(PROPERTY_NAME.fullmatch, _property_names(adapted.schema)))
    assert all(target is not None for _, target in _references(adapted.schema))
    again = adapt_tool_schema(adapted.schema)
    assert json.dumps(again.schema) == json.dumps(adapted.schema)
    assert not again.is_repaired
    assert again.mapping is None


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(VALID_SCHEMAS, st.data())
def test_values_survive_the_way_to_the_model_and_back(schema: dict[str, Any], data: st.DataObject) -> None:
    adapted = adapt_tool_schema(schema)
    value = data.draw(values(schema, schema, 0))
    sent = adapted.to_model(value)
    assert adapted.to_client(sent) == value
    if adapted.mapping is None:
        assert sent == value
    _validate(value, schema)
    _validate(sent, adapted.schema)


def _validate(value: Any, schema: dict[str, Any]) -> None:
    try:
        Draft202012Validator(schema).validate(value)
    except ValidationError as error:
        raise AssertionError(f"{value} does not fit {schema}") from error


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _nodes(inner)


def _property_names(schema: Any) -> Iterator[str]:
    """Yield the names in all `properties`, found by walking the schemas only."""
    if not isinstance(schema, dict):
        return
    yield from schema.get("properties", {})
    for keyword in ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas"):
        for inner in schema.get(keyword, {}).values():
            yield from _property_names(inner)
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for inner in schema.get(keyword, []):
            yield from _property_names(inner)
    for keyword in (
        "items",
        "not",
        "if",
        "then",
        "else",
        "contains",
        "additionalProperties",
        "propertyNames",
    ):
        yield from _property_names(schema.get(keyword))


def _references(root: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the references of a schema with their targets, None for a missing one."""
    found = [node["$ref"] for node in _nodes(root) if isinstance(node.get("$ref"), str)]
    return [(reference, resolve(root, reference)) for reference in found if reference.startswith("#/")]


def test_patterns_of_a_schema_are_compiled_only_up_to_a_limit() -> None:
    allowed = MAX_PATTERN_CHARACTERS // MAX_PATTERN_LENGTH
    pattern = "a" * MAX_PATTERN_LENGTH
    fields = {f"p{number}": {"type": "string", "pattern": pattern} for number in range(allowed + 1)}
    adapted = adapt_tool_schema({"type": "object", "properties": fields}).schema["properties"]
    assert [name for name in fields if adapted[name] == fields[name]] == list(fields)[:allowed]
    assert adapted[f"p{allowed}"]["description"].startswith("{pattern: aaa")
