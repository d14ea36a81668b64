"""Structured output, reasoning and the number of answers."""

from typing import Any

import pytest

from gateway.errors import UnsupportedParameter
from gateway.json_schema import adapt_output_schema
from gateway.turn import MAX_CHOICES
from tests.unit.dialects.test_chat_dialect import error_of, request

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def json_schema(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


@pytest.mark.parametrize(
    ("response_format", "expected"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "object"}),
        ({"type": "json_object", "schema": SCHEMA}, SCHEMA),
        (json_schema(SCHEMA), SCHEMA),
        ({"type": "json_schema", "json_schema": {"strict": None, "schema": SCHEMA}}, SCHEMA),
        ({"type": "json_schema", "schema": SCHEMA}, SCHEMA),
        (json_schema({}), {"type": "object"}),
        (json_schema({"type": "object", "title": "\ud83d"}), {"type": "object", "title": "\ufffd"}),
    ],
)
def test_response_format_becomes_an_output_schema(response_format: Any, expected: Any) -> None:
    parsed = request(response_format=response_format)

    wanted = None if expected is None else adapt_output_schema(expected).tool
    got = parsed.turn.output_schema
    assert (got and got.tool, parsed.ignored) == (wanted, ())


@pytest.mark.parametrize(
    ("response_format", "param"),
    [
        ({}, "response_format.type"),
        ({"type": "xml"}, "response_format.type"),
        ({"type": ["text"]}, "response_format.type"),
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "json_schema", "json_schema": "{}"}, "response_format.json_schema"),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, "response_format.json_schema.schema"),
        (json_schema("{}"), "response_format.json_schema.schema"),
        (
            json_schema({"properties": {"a": {"$ref": "#/$defs/b"}}}),
            "response_format.json_schema.schema.properties.a.$ref",
        ),
        ({"type": "json_schema", "schema": []}, "response_format.schema"),
    ],
)
def test_error_names_the_invalid_response_format(response_format: Any, param: str) -> None:
    error = error_of(response_format=response_format)

    assert not isinstance(error, UnsupportedParameter)
    assert error.param == param
    assert param in error.message


@pytest.mark.parametrize(
    ("fields", "effort", "thinking"),
    [
        ({}, None, None),
        ({"reasoning_effort": ""}, None, None),
        ({"reasoning": {"effort": None}}, None, None),
        ({"reasoning": {"effort": ""}, "thinking": {}}, None, None),
        *[({"reasoning_effort": effort}, "low", False) for effort in ("none", "minimal")],
        *[
            ({"reasoning_effort": effort}, effort, True)
            for effort in ("low", "medium", "high", "xhigh", "max")
        ],
        ({"reasoning": {"effort": "high", "summary": "auto"}}, "high", True),
        ({"reasoning": {"effort": "none"}}, "low", False),
        ({"reasoning_effort": "low", "reasoning": {"effort": "high"}}, "low", True),
        ({"thinking": {"type": "enabled"}}, None, True),
        ({"thinking": {"type": "adaptive"}}, None, True),
        ({"thinking": {"type": "disabled"}}, None, False),
        ({"thinking": {"type": "disabled"}, "reasoning_effort": "high"}, "high", False),
        ({"thinking": {"type": "enabled"}, "reasoning_effort": "none"}, "low", True),
    ],
)
def test_reasoning_becomes_effort_and_thinking(
    fields: dict[str, Any], effort: str | None, thinking: bool | None
) -> None:
    parsed = request(**fields)

    assert (parsed.turn.effort, parsed.turn.thinking, parsed.ignored) == (effort, thinking, ())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"reasoning": {"effort": 3}}, "reasoning.effort"),
        ({"reasoning": {"effort": ["low"]}}, "reasoning.effort"),
        ({"thinking": {"type": "sometimes"}}, "thinking.type"),
        ({"thinking": {"type": True}}, "thinking.type"),
        ({"thinking": {"type": []}}, "thinking.type"),
    ],
)
def test_error_names_the_invalid_reasoning(fields: dict[str, Any], param: str) -> None:
    assert error_of(**fields).param == param


def test_reasoning_options_without_effect_are_ignored() -> None:
    parsed = request(
        thinking={"type": "enabled", "display": "updates"},
        reasoning={"effort": "low", "exclude": "no", "generate_summary": "auto"},
        seed=1,
    )

    assert parsed.ignored == ("reasoning.exclude", "seed", "thinking.display")


@pytest.mark.parametrize(("n", "expected"), [(None, 1), (1, 1), (MAX_CHOICES, MAX_CHOICES)])
def test_n_is_the_number_of_answers(n: int | None, expected: int) -> None:
    assert (request(n=n).n, request(n=n).ignored) == (expected, ())
