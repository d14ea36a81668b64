"""Chat bodies in the shapes of other APIs, as Cursor and other clients send them."""

from contextlib import suppress
from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from gateway.dialects.chat.request import ChatRequest, parse_request
from gateway.errors import InvalidRequest
from gateway.schemas.chat import ChatCompletionSchema
from gateway.serving import Serving
from gateway.turn import Sampling, ToolChoice
from tests.support.client_bodies import BODIES, PNG, READ, tool_call
from tests.support.cursor_bodies import (
    APPLY_PATCH,
    CURSOR_ANTHROPIC,
    CURSOR_ASK,
    CURSOR_BODIES,
    CURSOR_RESPONSES,
    PATCH,
)
from tests.unit.dialects.test_chat_dialect import HELLO

SCHEMA = ChatCompletionSchema()


def parse(body: dict[str, Any]) -> ChatRequest:
    return parse_request(SCHEMA.load(body))


def error_of(body: dict[str, Any]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse(body)
    return caught.value


@pytest.mark.parametrize("sent", (BODIES | CURSOR_BODIES).values(), ids=BODIES | CURSOR_BODIES)
def test_bodies_of_known_clients_are_accepted(sent: dict[str, Any]) -> None:
    body = deepcopy(sent)
    got = parse(body)

    assert body == sent
    assert got.stream is bool(body.get("stream"))
    assert got.include_usage is ("stream_options" in body)
    assert [tool.name for tool in got.turn.tools] == [
        (tool.get("function") or tool)["name"] for tool in body.get("tools") or body.get("functions") or []
    ]
    assert got.turn.messages[0].role == got.turn.messages[-1].role == "user"
    orjson.dumps([message.content for message in got.turn.messages])


def test_responses_body_is_read_as_chat() -> None:
    got = parse(CURSOR_RESPONSES)
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}

    assert [list(message.content) for message in got.turn.messages] == [
        [{"type": "text", "text": "Look"}, image],
        [
            {"type": "text", "text": "On it."},
            {"type": "tool_use", "id": "call_1", "name": "Read", "input": {"path": "a.py"}},
            {"type": "tool_use", "id": "call_2", "name": "ApplyPatch", "input": {"input": PATCH}},
        ],
        [
            {
                "type": "tool_result",
                "tool_use_id": "call_1",
                "content": [{"type": "text", "text": "print()"}],
            },
            {
                "type": "tool_result",
                "tool_use_id": "call_2",
                "content": [{"type": "text", "text": "Applied"}],
            },
        ],
    ]
    assert got.turn.system == ("Answer in English.", "You are an AI coding assistant in Cursor.")
    assert got.turn.sampling == Sampling(max_tokens=32000)
    assert (got.turn.effort, got.turn.thinking) == ("high", True)
    assert got.tool_call_format.raw == {"ApplyPatch"}
    assert got.ignored == ("include", "metadata", "prompt_cache_retention", "user", "verbosity")
    assert got.turn.serving == Serving()  # Cursor always asks for a day, which costs more here


def test_custom_tool_becomes_a_function_of_one_text() -> None:
    _, patch = parse(CURSOR_RESPONSES).turn.tools

    assert patch.input_schema["required"] == ["input"]
    assert patch.input_schema["properties"]["input"]["type"] == "string"
    assert patch.description.startswith("Use this tool to edit files.")
    assert APPLY_PATCH["format"]["definition"] in patch.description


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "custom", "name": "t"},
        {"type": "custom", "name": "t", "description": None, "format": {"type": "text"}},
    ],
)
def test_custom_tool_needs_no_grammar(tool: dict[str, Any]) -> None:
    (got,) = parse({"input": "hi", "tools": [tool]}).turn.tools

    assert (got.name, got.description) == ("t", "")


@pytest.mark.parametrize(
    "sent",
    [
        tool_call("c", "ApplyPatch", PATCH),
        tool_call("c", "ApplyPatch", '{"input": ' + orjson.dumps(PATCH).decode() + "}"),
        tool_call("c", "ApplyPatch", {"input": PATCH}),  # type: ignore[arg-type]
        {"id": "c", "type": "custom", "custom": {"name": "ApplyPatch", "input": PATCH}},
    ],
)
def test_free_text_calls_in_the_history_are_wrapped(sent: dict[str, Any]) -> None:
    messages = [HELLO, {"role": "assistant", "tool_calls": [sent]}, {"role": "tool", "tool_call_id": "c"}]
    turn = parse({**CURSOR_ASK, "messages": messages}).turn

    assert turn.messages[1].content[0]["input"] == {"input": PATCH}


def test_input_may_be_a_string() -> None:
    turn = parse({"input": "hi", "instructions": "a", "system_prompt": "b"}).turn

    assert [list(message.content) for message in turn.messages] == [[{"type": "text", "text": "hi"}]]
    assert turn.system == ("b\n\na",)


def test_input_beside_messages_is_ignored() -> None:
    got = parse({"messages": [HELLO], "input": "hi"})

    assert got.turn == parse({"messages": [HELLO]}).turn
    assert got.ignored == ("input",)


def test_input_may_hold_chat_messages() -> None:
    messages = [*CURSOR_ASK["messages"], {"role": "user", "content": "on", "type": "message"}]
    tools = CURSOR_ASK["tools"]

    assert parse({"input": messages, "tools": tools}) == parse({"messages": messages, "tools": tools})


@pytest.mark.parametrize(
    ("given", "param"),
    [
        (7, "input"),
        ({"role": "user"}, "input"),
        (["hi"], "input[0]"),
        ([{"content": "hi"}], "input[0].role"),
        ([{"role": ["user"], "content": "hi"}], "input[0].role"),
        ([{"role": "user", "content": {"text": "hi"}}], "input[0].content"),
        ([{"role": "user", "content": ["hi"]}], "input[0].content[0]"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], "input[0].content[0].input_audio"),
        ([{"type": "item_reference", "id": "x"}], "input[0].type"),
        ([{"type": "unheard_of", "role": "user"}], "input[0].type"),
        ([{"type": "reasoning"}], "input"),
    ],
)
def test_error_names_the_invalid_item(given: Any, param: str) -> None:
    error = error_of({"input": given})

    assert error.param == param
    assert "messages[" not in error.message


@pytest.mark.parametrize("name", ["previous_response_id", "conversation"])
def test_references_to_stored_conversations_are_rejected(name: str) -> None:
    assert (error_of({"input": "hi", name: "x"}).code, error_of({"input": "hi", name: "x"}).param) == (
        "unsupported_parameter",
        name,
    )
    assert parse({"messages": [HELLO], name: "x"}).ignored == (name,)


@pytest.mark.parametrize(
    ("text_format", "expected"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "object"}),
        ({"type": "json_schema", "name": "x", "strict": True, "schema": READ}, READ),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": READ}}, READ),
    ],
)
def test_text_format_becomes_a_response_format(text_format: dict[str, Any], expected: Any) -> None:
    schema = parse({"input": "hi", "text": {"format": text_format}}).turn.output_schema
    assert (schema and schema.tool) == expected


def test_error_names_the_invalid_text_format() -> None:
    assert error_of({"input": "hi", "text": {"format": "json"}}).param == "text.format"


def test_messages_body_is_read_as_chat() -> None:
    got = parse(CURSOR_ANTHROPIC)
    text = {"type": "text", "text": "Reading both."}

    assert [list(message.content) for message in got.turn.messages[1:]] == [
        [
            text,
            {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a.py"}},
            {"type": "tool_use", "id": "toolu_2", "name": "Glob", "input": {}},
        ],
        [
            {
                "type": "tool_result",
                "tool_use_id": "toolu_1",
                "content": [{"type": "text", "text": "print()"}],
            },
            {
                "type": "tool_result",
                "tool_use_id": "toolu_2",
                "is_error": True,
                "content": [{"type": "text", "text": "no match"}],
            },
            {"type": "text", "text": "Go on"},
        ],
    ]
    assert got.turn.messages[0].content[1]["type"] == "image"
    assert got.turn.system == ("You are a coding assistant in Cursor.",)
    assert got.turn.sampling == Sampling(max_tokens=16000, stop=("</done>",))
    assert got.turn.tool_choice == ToolChoice(parallel=False)
    assert got.turn.tools[0].input_schema == READ
    assert (got.turn.thinking, got.ignored) == (True, ())


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, ToolChoice()),
        ({"type": "none"}, ToolChoice("none")),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("any", parallel=False)),
        ({"type": "tool", "name": "Read"}, ToolChoice("tool", "Read")),
        ({"type": "custom", "name": "ApplyPatch"}, ToolChoice("tool", "ApplyPatch")),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "custom", "name": "ApplyPatch"}],
            },
            ToolChoice("any", is_exclusive=True),
        ),
    ],
)
def test_tool_choices_of_other_apis_are_translated(choice: dict[str, Any], expected: ToolChoice) -> None:
    tools = [
        {"name": "Read", "input_schema": READ},
        APPLY_PATCH,
        {"type": "custom", "name": "x", "input_schema": READ},
    ]

    assert parse({"messages": [HELLO], "tools": tools, "tool_choice": choice}).turn.tool_choice == expected


def test_shapes_may_be_mixed() -> None:
    call_message = {
        "role": "assistant",
        "tool_calls": [tool_call("a", "f", "{}")],
        "content": [{"type": "tool_use", "id": "b", "name": "g"}],
    }
    answers = {
        "role": "tool",
        "content": [{"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "B"}]}],
    }
    turn = parse(
        {"messages": [HELLO, call_message, {"role": "tool", "tool_call_id": "a", "content": "A"}, answers]}
    ).turn

    assert [block["id"] for block in turn.messages[1].content] == ["b", "a"]
    assert [block["tool_use_id"] for block in turn.messages[2].content] == ["b", "a"]


@pytest.mark.parametrize(
    ("content", "param"),
    [
        ([{"type": "tool_use", "id": "x", "name": "f"}], "messages[1].content[0].type"),
    ],
)
def test_error_names_the_invalid_block(content: list[dict[str, Any]], param: str) -> None:
    assert error_of({"messages": [HELLO, {"role": "user", "content": content}]}).param == param


def test_system_blocks_must_hold_text() -> None:
    assert parse({"messages": [HELLO], "system": "a"}).turn.system == ("a",)
    error = error_of({"messages": [HELLO], "system": [{"type": "image"}]})
    assert error.param == "system[0].image"


WORDS = st.sampled_from(
    ["", "user", "assistant", "tool", "system", "function", "custom", "message", "text", "tool_use", "tool_result"]
    + ["function_call", "function_call_output", "image_url", "file", "document", "allowed_tools", "auto", "a", "{}"]
)  # fmt: skip
KEYS = st.sampled_from(
    ["type", "role", "content", "text", "id", "call_id", "name", "arguments", "input", "function", "tool_calls", "url"]
    + ["tool_call_id", "tool_use_id", "output", "source", "data", "image_url", "parameters", "input_schema", "custom"]
    + ["tools", "mode", "effort", "format", "schema", "json_schema", "function_call", "file", "refusal", "is_error"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 1) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["messages", "input", "tools", "tool_choice", "functions", "function_call", "response_format", "reasoning"]
    + ["thinking", "text", "system", "instructions", "reasoning_effort", "stop_sequences", "n"]
)  # fmt: skip


@settings(deadline=None)
@given(
    st.dictionaries(FIELDS, JSON | st.lists(st.dictionaries(KEYS, JSON, max_size=5), max_size=3), max_size=4)
)
def test_any_body_is_accepted_or_rejected_with_a_field(body: dict[str, Any]) -> None:
    with suppress(ValidationError, InvalidRequest):
        parse({"messages": [HELLO], **body} if "input" not in body else body)
