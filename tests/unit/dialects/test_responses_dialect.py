"""Responses API requests become turns."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from gateway.dialects.common.conversation import NUDGE
from gateway.dialects.common.input_items import as_list
from gateway.dialects.responses import request as responses
from gateway.dialects.responses.builder import new_response
from gateway.dialects.responses.items import complete_items
from gateway.dialects.responses.references import find_references, replace_references
from gateway.dialects.responses.request import ResponsesRequest
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    NotFound,
)
from gateway.json_schema import adapt_output_schema
from gateway.lenient_json import dumps
from gateway.schemas.errors import field_error
from gateway.schemas.responses import ResponsesSchema
from gateway.turn import (
    Done,
    Message,
    Sampling,
    ToolChoice,
    Usage,
)
from tests.support import responses_shapes as shapes
from tests.support.client_bodies import PNG
from tests.unit.dialects.test_cursor import JSON, KEYS

SCHEMA = ResponsesSchema()
Body = dict[str, Any]

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER: Body = {"type": "function", "name": "get_weather", "description": "W", "parameters": PARAMETERS}
USAGE = Usage(10, 20, 3, 7, 2, 0.5)
DONE = Done("end_turn", USAGE)


def parse(body: Body, earlier: list[Body] | None = None) -> ResponsesRequest:
    loaded = SCHEMA.load(body)
    return responses.parse_request(loaded, as_list(loaded.get("input", [])), earlier or [])


def error_of(body: Body) -> InvalidRequest:
    with pytest.raises((InvalidRequest, ValidationError)) as caught:
        parse(body)
    error: Exception = caught.value
    if isinstance(error, ValidationError):
        return field_error(error.messages)
    assert isinstance(error, InvalidRequest)
    return error


def contents(request: ResponsesRequest) -> list[tuple[str, list[Body]]]:
    return [(message.role, list(message.content)) for message in request.turn.messages]


def text(content: str) -> Body:
    return {"type": "text", "text": content}


# Requests


def test_input_may_be_a_string() -> None:
    got = parse({"input": "hi", "instructions": "Be brief."})
    assert got.turn.messages == (Message("user", (text("hi"),)),)
    assert got.turn.system == ("Be brief.",)
    assert got.ignored == ()


def test_items_of_every_type_are_read() -> None:
    items: list[Body] = [
        {"role": "developer", "content": "Be kind."},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Both.", "annotations": []}],
        },
        {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": '{"x": 1}'},
        {"type": "function_call", "call_id": "b", "name": "f", "arguments": ""},
        {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "B"}]},
        {"type": "function_call_output", "call_id": "a", "output": "A"},
        {"role": "user", "content": "Go on"},
    ]
    got = parse({"input": items})

    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    assert got.turn.system == ("Be kind.",)
    assert contents(got) == [
        ("user", [text("Look"), image]),
        (
            "assistant",
            [
                text("Both."),
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {}},
            ],
        ),
        (
            "user",
            [
                {"type": "tool_result", "tool_use_id": "a", "content": [text("A")]},
                {"type": "tool_result", "tool_use_id": "b", "content": [text("B")]},
                text("Go on"),
            ],
        ),
    ]


def test_earlier_items_come_first() -> None:
    earlier = complete_items([{"role": "system", "content": "Rhyme."}, {"role": "user", "content": "one"}])
    earlier += complete_items([{"role": "assistant", "content": "two"}])
    got = parse({"input": "three", "instructions": "New."}, earlier)
    assert got.turn.system == ("New.", "Rhyme.")
    assert contents(got) == [
        ("user", [text("one")]),
        ("assistant", [text("two")]),
        ("user", [text("three")]),
    ]
    assert contents(parse({}, earlier))[-1] == ("user", [text(NUDGE)])


def test_error_names_ignore_earlier_items() -> None:
    earlier = [{"role": "user", "content": "one"}]
    with pytest.raises(InvalidRequest) as caught:
        parse({"input": [{"role": "user", "content": [{"type": "sound"}]}]}, earlier)
    assert caught.value.param == "input[0].content[0].type"


def test_parameters_are_translated() -> None:
    body: Body = {
        "input": "hi",
        "model": "haiku",
        "max_output_tokens": 50,
        "temperature": 1.5,
        "top_p": 1,
        "reasoning": {"effort": "high", "summary": "auto"},
        "text": {"format": {"type": "json_schema", "name": "out", "schema": PARAMETERS}, "verbosity": "low"},
        "tools": [WEATHER],
        "tool_choice": {"type": "function", "name": "get_weather"},
        "parallel_tool_calls": False,
        "metadata": {"a": "b"},
        "truncation": "auto",
        "include": ["reasoning.encrypted_content"],
        "service_tier": "auto",
        "user": "me",
        "max_tool_calls": 3,
        "news": 1,
    }
    got = parse(body)
    assert got.turn.requested_model == "haiku"
    assert got.turn.sampling == Sampling(max_tokens=50, temperature=1.0)
    assert (got.turn.effort, got.turn.thinking, got.with_summary) == ("high", True, True)
    assert got.turn.output_schema == adapt_output_schema(PARAMETERS)
    assert got.turn.tool_choice == ToolChoice("tool", "get_weather", parallel=False)
    assert got.ignored == ("include", "max_tool_calls", "news", "text.verbosity", "truncation", "user")
    response = shapes.check_response(new_response("resp_1", "m", got.echoed))
    assert response.metadata == {"a": "b"}
    assert response.tools[0].type == "function"
    assert not response.parallel_tool_calls


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        ({"type": "json_object", "schema": PARAMETERS}, {"type": "json_object"}),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": PARAMETERS}},
            {"type": "json_schema", "name": "x", "description": None, "schema": PARAMETERS, "strict": True},
        ),
    ],
)
def test_format_of_another_api_is_read_and_echoed(sent: Any, echoed: Any) -> None:
    got = parse({"input": "hi", "text": {"format": sent}})
    assert got.turn.output_schema == adapt_output_schema(PARAMETERS)
    assert got.echoed["text"]["format"] == echoed


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        (None, "auto"),
        ("any", "required"),
        ({"type": "function", "function": {"name": "get_weather"}}, {"type": "function", "name": "get_weather"}),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_weather"}]},
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_weather"}]},
        ),
    ],
)  # fmt: skip
def test_tool_choice_is_echoed(sent: Any, echoed: Any) -> None:
    got = parse({"input": "hi", "tools": [WEATHER], "tool_choice": sent})
    assert got.echoed["tool_choice"] == echoed
    shapes.check_response(new_response("resp_1", "m", got.echoed))


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "input", "missing_user_message"),
        ({"input": 5}, "input", "invalid_request"),
        ({"input": ["hi"]}, "input[0]", "invalid_request"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url", None),
        ({"input": "hi", "tools": [{"type": "x"}], "tool_choice": "any"}, "tool_choice", "unsupported_parameter"),
        ({"input": "hi", "tools": [{"type": "custom"}]}, "tools[0].name", "invalid_request"),
        ({"input": "hi", "tools": [{"type": "function"}]}, "tools[0].function", None),
        ({"input": "hi", "tool_choice": "required"}, "tool_choice", None),
        ({"input": "hi", "prompt": {"id": "p"}}, "prompt", "unsupported_parameter"),
        ({"input": "hi", "top_logprobs": 2}, "top_logprobs", "unsupported_parameter"),
        ({"input": "hi", "include": ["message.output_text.logprobs"]}, "include[0]", "unsupported_parameter"),
        ({"input": "hi", "reasoning": {"effort": 5}}, "reasoning.effort", None),
        ({"input": "hi", "reasoning": {"summary": "long"}}, "reasoning.summary", None),
        ({"input": "hi", "text": {"format": "json"}}, "text.format", None),
        ({"input": "hi", "text": {"format": {"type": "xml"}}}, "text.format.type", None),
        ({"input": "hi", "text": {"format": {"type": "json_schema"}}}, "text.format.schema", None),
        ({"input": "hi", "metadata": {"a": 1}}, "metadata.a", "invalid_request"),
        ({"input": "hi", "max_output_tokens": "x"}, "max_output_tokens", "invalid_request"),
    ],
)  # fmt: skip
def test_error_names_the_invalid_field(body: Body, param: str, code: str | None) -> None:
    error = error_of(body)
    assert error.param == param
    assert code in (None, error.code)
    assert "messages[" not in error.message


def test_zero_logprobs_and_null_are_accepted() -> None:
    assert parse({"input": "hi", "top_logprobs": 0, "prompt": None, "conversation": None}).ignored == ()


def test_references_are_replaced_by_stored_items() -> None:
    answer = {"id": "msg_1", "type": "message", "role": "assistant", "content": "yes"}
    given: list[Any] = [
        {"role": "user", "content": "a"},
        {"type": "item_reference", "id": "msg_1"},
        {"id": "msg_1"},
    ]
    assert find_references(given) == ["msg_1", "msg_1"]
    assert replace_references(given, {"msg_1": answer}) == [given[0], answer, answer]
    with pytest.raises(NotFound) as caught:
        replace_references(given, {})
    assert (caught.value.param, caught.value.code) == ("input[1].id", "item_not_found")
    with pytest.raises(InvalidRequest) as wrong:
        replace_references([{"type": "item_reference", "id": 5}], {})
    assert wrong.value.param == "input[0].id"


FIELDS = st.sampled_from(
    [
        "input",
        "tools",
        "tool_choice",
        "text",
        "reasoning",
        "instructions",
        "metadata",
        "include",
        "previous_response_id",
    ]
)
ITEMS = st.lists(st.dictionaries(KEYS, JSON, max_size=5), max_size=3)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(FIELDS, JSON | ITEMS, max_size=4))
def test_any_body_is_accepted_or_rejected_with_a_field(body: Body) -> None:
    with suppress(ValidationError, GatewayError):
        loaded = SCHEMA.load({"input": "hi", **body})
        items = as_list(loaded.get("input", []))
        items = replace_references(items, {})
        got = responses.parse_request(loaded, items)
        dumps(new_response("resp_1", "m", got.echoed))
        dumps(complete_items(items))


def test_stored_items_become_the_same_turn() -> None:
    items: list[Body] = [
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, {"type": "input_file", "file_data": "YWJj"}],
        },
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}],
        },
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "assistant", "content": "b"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": {"x": 1}},
        {"type": "function_call_output", "call_id": "c", "output": None},
        {"type": "reasoning", "summary": None},
        {"role": "user", "content": "d"},
    ]
    stored = complete_items(items)
    assert parse({"input": stored}).turn == parse({"input": items}).turn
    assert len({item["id"] for item in stored}) == len(stored)
    ends = {"first_id": stored[0]["id"], "last_id": stored[-1]["id"]}
    shapes.check_items({"object": "list", "data": stored, "has_more": False, **ends})
    assert complete_items(stored) == stored
