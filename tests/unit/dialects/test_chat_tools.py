"""Tools and the choice among them. test_chat_tool_rounds.py tests calls and results."""

from typing import Any

import pytest

from gateway.dialects.common.tool_definitions import MAX_NAME_LENGTH
from gateway.errors import UnsupportedParameter
from gateway.repairs import Repair
from gateway.turn import Tool, ToolChoice
from tests.support.client_bodies import function_tool
from tests.unit.dialects.test_chat_dialect import error_of, request

F, G = function_tool("f", {"type": "object"}), function_tool("g", {"type": "object"})
NOTHING = {"type": "object", "properties": {}}


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


# Definitions


def test_tools_are_passed_on_as_written() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "null"}}}
    tool = {"type": "function", "function": {"name": "a.b c/é", "parameters": schema}}
    flat = {"name": "flat", "description": "d", "parameters": schema}

    parsed = request(tools=[tool, flat])

    assert parsed.turn.tools == (Tool("a.b c/é", "", schema), Tool("flat", "d", schema))
    assert parsed.repaired == ()


@pytest.mark.parametrize("kind", [{}, {"type": None}, {"type": "function"}])
@pytest.mark.parametrize("parameters", [{}, {"parameters": None}])
def test_tool_may_have_no_parameters(kind: dict[str, Any], parameters: dict[str, Any]) -> None:
    tool = {**kind, "function": {"name": "f", "description": None, **parameters}}
    parsed = request(tools=[tool])

    assert parsed.turn.tools == (Tool("f", "", NOTHING),)
    assert parsed.repaired == ()


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {"type": "object"}),
        ([], {"type": "object"}),
        ("{}", {"type": "object"}),
        ({"type": None, "properties": None, "required": None}, {"type": "object"}),
        ({"type": "object", "properties": []}, NOTHING),
        ({"type": "object", "properties": {"n": {"type": "int"}}}, {"n": {"type": "integer"}}),
        ({"type": "object", "required": True}, {"type": "object"}),
    ],
)
def test_schema_that_the_api_rejects_is_repaired_and_named(given: Any, sent: dict[str, Any]) -> None:
    """https://github.com/modelflow-ai/.github/pull/155: PHP writes an empty object as []. Go writes null."""
    parsed = request(tools=[{"type": "function", "function": {"name": "f", "parameters": given}}])

    (tool,) = parsed.turn.tools
    assert sent in (tool.input_schema, tool.input_schema.get("properties"))
    assert parsed.repaired == (Repair("tool-schema", "tools[0].function.parameters"),)


CLOSED = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        (CLOSED, CLOSED),
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, CLOSED),
        (CLOSED | {"$schema": "http://json-schema.org/draft-07/schema#"}, CLOSED),
        (CLOSED | {"properties": {"a": {"type": "integer", "minimum": 3}}}, None),
        (CLOSED | {"properties": {"a": {}}}, None),
    ],
)
def test_strict_tool_gets_a_schema_that_calls_can_be_held_to(
    schema: dict[str, Any], sent: dict[str, Any] | None
) -> None:
    parsed = request(tools=[function_tool("f", schema, strict=True)])

    (tool,) = parsed.turn.tools
    assert parsed.ignored == (("tools.strict",) if sent is None else ())
    assert (tool.options, tool.input_schema) == (({}, schema) if sent is None else ({"strict": True}, sent))


def test_fields_that_the_api_takes_are_passed_on() -> None:
    fields = {
        "strict": True,
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
        "input_examples": [{"a": 1}],
        "eager_input_streaming": True,
        "defer_loading": True,
    }
    parsed = request(tools=[{"type": "function", "function": {"name": "f", "parameters": CLOSED, **fields}}])

    assert parsed.turn.tools == (Tool("f", "", CLOSED, fields),)
    assert parsed.ignored == ()


def test_fields_that_the_api_would_reject_are_ignored_and_named() -> None:
    fields = {"strict": "yes", "cache_control": {"type": "forever"}, "input_examples": [1]}
    off = {"strict": False, "cache_control": None, "defer_loading": False}
    parsed = request(tools=[{"type": "function", "function": {"name": "f", **fields}}, {"name": "g"} | off])

    assert parsed.turn.tools == (Tool("f", "", NOTHING), Tool("g", "", NOTHING))
    assert parsed.ignored == ("tools.cache_control", "tools.input_examples", "tools.strict")


def test_cache_mark_beside_the_function_counts() -> None:
    mark = {"type": "ephemeral"}
    (tool,) = request(tools=[{**F, "cache_control": mark}]).turn.tools

    assert tool.options == {"cache_control": mark}


def test_last_of_several_definitions_of_a_name_is_used() -> None:
    # https://github.com/danny-avila/LibreChat/issues/13162
    other = {"type": "function", "function": {"name": "f", "description": "other"}}
    parsed = request(tools=[F, G, F, other])

    assert [(tool.name, tool.description) for tool in parsed.turn.tools] == [
        ("f", "other"),
        ("g", "Use it to g."),
    ]
    assert parsed.repaired == (Repair("duplicate-tool", "tools[2]"), Repair("duplicate-tool", "tools[3]"))
    assert request(tools=[F], functions=[{"name": "f"}]).repaired == (
        Repair("duplicate-tool", "functions[0]"),
    )


def test_half_an_emoji_in_a_tool_is_replaced() -> None:
    schema = {"type": "object", "properties": {"\ud83d": {"enum": ["\ude00", 10**30]}}}
    tool = {"function": {"name": "f", "description": "\ud83d", "parameters": schema}}

    (defined,) = request(tools=[tool]).turn.tools

    assert defined.description == "\ufffd"
    (parameter,) = defined.input_schema["properties"].values()
    assert parameter["enum"] == ["\ufffd", 10**30]
    assert defined.mapping is not None
    assert list(defined.mapping.aliases) == ["\ufffd"]


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        ({}, "tools[1].function"),
        ({"type": "function"}, "tools[1].function"),
        ({"function": "f"}, "tools[1].function"),
        ({"function": {}}, "tools[1].function.name"),
        ({"function": {"name": ""}}, "tools[1].function.name"),
        ({"function": {"name": 7}}, "tools[1].function.name"),
        ({"function": {"name": "x" * (MAX_NAME_LENGTH + 1)}}, "tools[1].function.name"),
        ({"function": {"name": "g", "description": 1}}, "tools[1].function.description"),
        ({"type": ["function"]}, "tools[1].type"),
        ({"type": "custom", "custom": 1}, "tools[1].custom"),
        ({"type": "custom"}, "tools[1].name"),
        ({"type": "namespace"}, "tools[1].name"),
        ({"type": "namespace", "name": "n", "tools": 1}, "tools[1].tools"),
        ({"type": "namespace", "name": "n", "tools": [1]}, "tools[1].tools[0]"),
        ({"type": "namespace", "name": "n", "tools": [{"type": "namespace"}]}, "tools[1].tools[0]"),
    ],
)
def test_error_names_the_invalid_tool(tool: dict[str, Any], param: str) -> None:
    error = error_of(tools=[F, tool])

    assert not isinstance(error, UnsupportedParameter)
    assert error.param == param
    assert param in error.message


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search"},
        {"type": "web_search_20250305", "name": "web_search"},
        {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example"},
    ],
)
def test_hosted_tools_are_left_out_and_named(tool: dict[str, Any]) -> None:
    parsed = request(tools=[F, tool, G], tool_choice="required")

    assert [defined.name for defined in parsed.turn.tools] == ["f", "g"]
    assert parsed.ignored == ("tools[1]",)
    alone = error_of(tools=[tool], tool_choice="required")
    assert (alone.code, alone.param) == ("unsupported_parameter", "tool_choice")


def test_deeply_nested_schema_is_rejected() -> None:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(5000):
        schema = {"type": "object", "properties": {"a": schema}}

    assert error_of(tools=[function_tool("f", schema)]).param == "tools[0].function.parameters"


def test_deprecated_functions_are_tools() -> None:
    parsed = request(functions=[{"name": "f"}, {"name": "g"}], function_call={"name": "g"})

    assert parsed.turn.tools == (Tool("f", "", NOTHING), Tool("g", "", NOTHING))
    assert parsed.turn.tool_choice == ToolChoice("tool", "g", parallel=False)
    assert parsed.tool_call_format.deprecated
    assert error_of(functions=[{"name": "f"}], function_call={"name": "x"}).param == "function_call"
    assert not request(tools=[F], functions=[{"name": "g"}]).tool_call_format.deprecated


# The choice


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, ToolChoice()),
        ("auto", ToolChoice()),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("any")),
        (named("g"), ToolChoice("tool", "g")),
        ({"type": "function", "name": "g"}, ToolChoice("tool", "g")),
    ],
)
@pytest.mark.parametrize("parallel", [None, True, False])
def test_tool_choice_is_translated(choice: Any, expected: ToolChoice, parallel: bool | None) -> None:
    turn = request(tools=[F, G], tool_choice=choice, parallel_tool_calls=parallel).turn

    assert turn.tool_choice == ToolChoice(expected.mode, expected.name, parallel is not False)
    assert [tool.name for tool in turn.tools] == ["f", "g"]


@pytest.mark.parametrize(("mode", "expected"), [("auto", "auto"), ("required", "any")])
@pytest.mark.parametrize("nested", [True, False])
def test_allowed_tools_limit_the_tools(mode: str, expected: str, nested: bool) -> None:
    allowed = {"mode": mode, "tools": [named("g")]}
    choice = {"type": "allowed_tools", **({"allowed_tools": allowed} if nested else allowed)}

    turn = request(tools=[F, G], tool_choice=choice, parallel_tool_calls=False).turn

    assert [tool.name for tool in turn.tools] == ["g"]
    assert turn.tool_choice.mode == expected
    assert not turn.tool_choice.parallel


@pytest.mark.parametrize(
    ("choice", "param"),
    [
        ("always", "tool_choice"),
        (7, "tool_choice"),
        ({}, "tool_choice"),
        ({"type": "web_search"}, "tool_choice"),
        ({"type": "function", "function": "f"}, "tool_choice"),
        (named("x"), "tool_choice"),
        ({"type": "custom", "custom": {"name": "x"}}, "tool_choice"),
        ({"type": "allowed_tools"}, "tool_choice.tools"),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}, "tool_choice.allowed_tools.tools"),
        ({"type": "allowed_tools", "mode": "none", "tools": [named("f")]}, "tool_choice.mode"),
        ({"type": "allowed_tools", "tools": [named("f"), 1]}, "tool_choice.tools[1]"),
        ({"type": "allowed_tools", "tools": [named("f"), named("x")]}, "tool_choice"),
    ],
)
def test_error_names_the_invalid_choice(choice: Any, param: str) -> None:
    assert error_of(tools=[F, G], tool_choice=choice).param == param


@pytest.mark.parametrize("choice", ["required", named("f"), {"type": "allowed_tools"}])
def test_choice_without_tools_is_an_error(choice: Any) -> None:
    assert error_of(tool_choice=choice).param == "tool_choice"


def test_automatic_choice_needs_no_tools() -> None:
    assert request(tool_choice="none", parallel_tool_calls=False, tools=[]) == request()
