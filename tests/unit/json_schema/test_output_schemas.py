"""Schemas of answers, as the API's structured output and as the CLI's tool take them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator

from gateway.json_schema import UnsupportedSchema, adapt_output_schema, adapt_tool_schema
from tests.standin import rejection
from tests.support.standin_client import OPUS_4_6, request
from tests.unit.json_schema.schemas import ANY_SCHEMAS, VALID_SCHEMAS, values

TEXT = {"type": "string"}


def closed(**properties: Any) -> dict[str, Any]:
    """Return a closed object whose properties are all required."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


#: A property as a client sends it, and as structured output takes it.
PROPERTIES: list[tuple[Any, Any]] = [
    ({"type": "integer", "minimum": 1}, {"type": "integer", "description": "{minimum: 1}"}),
    (
        {"type": "string", "maxLength": 5, "title": "T"},
        {"type": "string", "title": "T", "description": "{maxLength: 5}"},
    ),
    ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
    ({"type": "string", "format": "iban"}, {"type": "string", "description": "{format: iban}"}),
    ({"type": "string", "pattern": r"^\d+$"}, {"type": "string", "pattern": r"^\d+$"}),
    ({"type": "string", "pattern": "(?=a)"}, {"type": "string", "description": "{pattern: (?=a)}"}),
    ({"type": "string", "example": "x"}, {"type": "string", "description": "{example: x}"}),
    ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
    ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
    ({"type": "string", "enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
    ({"type": "string", "enum": ["a", None]}, {"enum": ["a", None]}),
    ({"const": 1}, {"const": 1}),
    ({"oneOf": [TEXT, {"type": "null"}]}, {"anyOf": [TEXT, {"type": "null"}]}),
    (
        {"oneOf": [closed(a=TEXT), closed(b=TEXT)], "discriminator": "kind", "title": "T"},
        {"anyOf": [closed(a=TEXT), closed(b=TEXT)], "title": "T", "description": "{discriminator: kind}"},
    ),
    ({"type": "array", "items": TEXT, "minItems": 1}, {"type": "array", "items": TEXT, "minItems": 1}),
    (
        {"type": "array", "items": TEXT, "minItems": 2},
        {"type": "array", "items": TEXT, "description": "{minItems: 2}"},
    ),
    (
        {"type": "array", "prefixItems": [TEXT, {"type": "integer"}]},
        {
            "type": "array",
            "description": '{prefixItems: [{"type": "string"}, {"type": "integer"}]}',
            "items": {"anyOf": [TEXT, {"type": "integer"}]},
        },
    ),
    ({"properties": {"a": TEXT}, "required": ["a"]}, closed(a=TEXT)),
    (
        {"type": ["object", "null"], "properties": {"a": TEXT}, "required": ["a"]},
        {"anyOf": [closed(a=TEXT), {"type": "null"}]},
    ),
    (
        {"allOf": [{"type": "object", "properties": {"a": TEXT}, "required": ["a"]}, closed(b=TEXT)]},
        closed(a=TEXT, b=TEXT),
    ),
    (
        {"type": "object", "oneOf": [{"properties": {"a": TEXT}, "required": ["a"]}, closed(b=TEXT)]},
        {"anyOf": [closed(a=TEXT), closed(b=TEXT)]},
    ),
]

#: Properties that structured output cannot express.
INEXPRESSIBLE: list[Any] = [
    {},
    True,
    {"type": "object"},
    {"type": "object", "additionalProperties": {"type": "string"}},
    {"type": "object", "properties": {"a": TEXT}, "additionalProperties": True},
    {"type": "object", "patternProperties": {"^x": TEXT}},
    {"type": "array"},
    {"enum": [{"a": 1}]},
    {"$ref": "#"},
    {"$ref": "#/$defs/tree"},
    {"allOf": [{"$ref": "#/$defs/tree"}, {"minProperties": 1}]},
]


@pytest.mark.parametrize(("sent", "expected"), PROPERTIES, ids=lambda value: json.dumps(value)[:40])
def test_property_is_expressed(sent: Any, expected: Any) -> None:
    adapted = adapt_output_schema(closed(p=sent))
    assert adapted.format == closed(p=expected)
    assert refused(adapted.format) is None


@pytest.mark.parametrize("sent", INEXPRESSIBLE, ids=lambda value: json.dumps(value)[:40])
def test_schema_that_structured_output_would_narrow_is_left_to_the_tool(sent: Any) -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#/$defs/tree"}}}
    adapted = adapt_output_schema({**closed(p=sent), "$defs": {"tree": tree}})
    assert adapted.format is None
    assert adapted.tool["properties"]["p"] == sent
    assert not adapted.is_repaired


def test_schema_over_the_limits_of_the_api_is_left_to_the_tool() -> None:
    assert adapt_output_schema(
        {"type": "object", "properties": dict.fromkeys("abcdefghijklmnopqrstuvwx", TEXT)}
    ).format
    for count, inner in ((25, TEXT), (17, {"type": ["string", "null"]})):
        names = [f"p{index}" for index in range(count)]
        required = names if inner is not TEXT else []
        schema = {"type": "object", "properties": dict.fromkeys(names, inner), "required": required}
        assert adapt_output_schema(schema).format is None


def test_expressible_schema_stays_as_it_is() -> None:
    schema = closed(a={"$ref": "#/$defs/b"}, c={"type": "array", "items": {"anyOf": [TEXT, {"const": 1}]}})
    schema["$defs"] = {"b": {"title": "B", "type": "integer", "description": "B.", "default": 1}}
    adapted = adapt_output_schema(schema)
    assert json.dumps(adapted.format) == json.dumps(schema)
    assert (adapted.is_repaired, adapted.mapping) == (False, None)


def test_closing_objects_is_no_repair() -> None:
    adapted = adapt_output_schema({"type": "object", "properties": {"a": TEXT}, "required": ["a"]})
    assert (adapted.format, adapted.is_repaired) == (closed(a=TEXT), False)


def test_union_of_one_reference_keeps_its_description() -> None:
    union = {"anyOf": [{"$ref": "#/$defs/b"}], "description": "Mine."}
    adapted = adapt_output_schema({**closed(a=union), "$defs": {"b": closed(c=TEXT)}})
    assert adapted.format == {**closed(a=union), "$defs": {"b": closed(c=TEXT)}}
    assert refused(adapted.format) is None


def test_reference_with_a_description_keeps_it() -> None:
    adapted = adapt_output_schema(
        {**closed(a={"$ref": "#/$defs/b", "description": "Mine."}), "$defs": {"b": closed(c=TEXT)}}
    )
    assert adapted.format == closed(a={**closed(c=TEXT), "description": "Mine."})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/definitions/a", "definitions": {"a": closed(x=TEXT)}},
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "discriminator": {"propertyName": "x"},
            **closed(x=TEXT),
        },
        {"anyOf": [closed(x=TEXT), closed(y=TEXT)]},
        {"type": "array", "items": closed(x=TEXT)},
        closed(**{"Account Number": TEXT}),
        {"enum": ["a", "b"]},
    ],
    ids=lambda schema: next(iter(schema)),
)
def test_schema_of_any_form_is_accepted_by_the_api(schema: dict[str, Any]) -> None:
    adapted = adapt_output_schema(schema)
    assert adapted.is_repaired
    assert refused(adapted.format) is None


def test_tool_takes_the_keywords_that_both_of_its_readers_know() -> None:
    schema = closed(
        a={"type": "integer", "minimum": 1, "example": 3, "x-order": 1},
        b={"type": "string", "format": "iban", "pattern": r"\bx", "nullable": True},
        c={"type": "array", "prefixItems": [TEXT, {"type": "null"}], "items": False},
        d={"if": {"type": "null"}, "dependentRequired": {"a": ["b"]}, "additionalProperties": TEXT},
    )
    assert adapt_output_schema(
        {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"}
    ).tool == closed(
        a={"type": "integer", "minimum": 1, "description": "{example: 3}\n\n{x-order: 1}"},
        b={"type": ["string", "null"], "description": "{format: iban}\n\n{pattern: \\bx}"},
        c={
            "type": "array",
            "items": {"anyOf": [TEXT, {"type": "null"}]},
            "description": '{prefixItems: [{"type": "string"}, {"type": "null"}]}',
        },
        d={
            "additionalProperties": TEXT,
            "description": '{if: {"type": "null"}}\n\n{dependentRequired: {"a": ["b"]}}',
        },
    )


@pytest.mark.parametrize("reference", ["#/$defs/nowhere", "https://example.com/a.json"])
def test_reference_without_a_target_is_refused_with_its_path(reference: str) -> None:
    with pytest.raises(UnsupportedSchema, match="leads to nothing") as caught:
        adapt_output_schema(closed(a={"type": "array", "items": {"$ref": reference}}))
    assert caught.value.path == ".properties.a.items.$ref"


@pytest.mark.parametrize(
    "double",
    [
        lambda inner: closed(a={**inner, "description": "Again."}, b={**inner, "description": "Again."}),
        lambda inner: {"allOf": [inner, inner]},
        lambda inner: {"anyOf": [{"allOf": [inner]}, {"allOf": [inner]}]},
    ],
)
def test_references_that_multiply_are_left_to_the_tool(double: Callable[[Any], Any]) -> None:
    definitions: dict[str, Any] = {"d0": TEXT}
    for index in range(1, 30):
        definitions[f"d{index}"] = double({"$ref": f"#/$defs/d{index - 1}"})
    adapted = adapt_output_schema(
        {**closed(a={"$ref": "#/$defs/d29", "description": "All."}), "$defs": definitions}
    )
    assert adapted.format is None


def test_reference_to_an_anchor_is_explained_in_the_description() -> None:
    adapted = adapt_output_schema(closed(a={"$anchor": "here", "type": "string"}, b={"$ref": "#here"}))
    assert adapted.format is None
    assert adapted.tool == closed(a=TEXT, b={"description": "{$ref: #here}"})


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(ANY_SCHEMAS)
def test_any_input_becomes_a_schema_for_an_answer(schema: Any) -> None:
    try:
        adapted = adapt_output_schema(schema)
    except UnsupportedSchema:
        assert "$ref" in repr(schema)
        return
    if adapted.format is not None:
        assert refused(adapted.format) is None
    Draft7Validator.check_schema(adapted.tool)
    Draft202012Validator.check_schema(adapted.tool)
    assert not adapt_tool_schema(adapted.tool).is_repaired
    assert adapt_output_schema(adapted.tool).tool == adapted.tool


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(VALID_SCHEMAS, st.data())
def test_no_value_that_the_client_allows_is_excluded(schema: dict[str, Any], data: st.DataObject) -> None:
    adapted = adapt_output_schema(schema)
    value = data.draw(values(schema, schema, 0))
    sent = adapted.mapping.to_model(value) if adapted.mapping else value
    Draft7Validator(adapted.tool).validate(sent)
    if adapted.format is not None:
        Draft202012Validator(adapted.format).validate(sent)


def refused(schema: Any) -> str | None:
    """Return the stand-in's reason to refuse the schema in a request."""
    wanted = {"format": {"type": "json_schema", "schema": schema}}
    return rejection(request(OPUS_4_6, output_config=wanted))


def test_references_with_equal_ends_get_names_of_their_own() -> None:
    paths = [f"{name}/properties/x" for name in "abc"]
    definitions = {
        name: {"type": "object", "properties": {"x": {"type": "string"}}, "additionalProperties": False}
        for name in "abc"
    }
    properties = {path[0]: {"$ref": f"#/$defs/{path}"} for path in paths}
    schema = {"type": "object", "properties": properties, "additionalProperties": False, "$defs": definitions}
    expressed = adapt_output_schema(schema).format
    assert expressed is not None
    assert list(expressed["$defs"]) == ["x", "x_2", "x_3"]
