"""The chat completion schema accepts valid bodies, and names the field of an error."""

from typing import Any

import pytest
from marshmallow import ValidationError

from gateway.errors import InvalidRequest
from gateway.schemas.chat import ROLES, ChatCompletionSchema
from gateway.schemas.errors import field_error, field_errors
from gateway.turn import MAX_CHOICES

HELLO = [{"role": "user", "content": "hello"}]


def load(**fields: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = ChatCompletionSchema().load({"messages": HELLO, **fields})
    return loaded


def refused(body: Any) -> InvalidRequest:
    with pytest.raises(ValidationError) as caught:
        ChatCompletionSchema().load(body)
    return field_error(caught.value.messages)


@pytest.mark.parametrize(
    "body", [{}, {"messages": None}, {"messages": []}, {"model": "opus"}, {"messages": [], "input": []}]
)
def test_messages_are_required(body: dict[str, Any]) -> None:
    error = refused(body)

    assert (error.status, error.code, error.param) == (400, "missing_messages", "messages")
    assert "messages" in error.message


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ("hello", "messages"),
        ({"role": "user", "content": "hello"}, "messages"),
        (7, "messages"),
        (["hello"], "messages[0]"),
        ([None], "messages[0]"),
        ([*HELLO, 3], "messages[1]"),
        ([{"content": "hello"}], "messages[0].role"),
        ([{"role": None, "content": "hello"}], "messages[0].role"),
    ],
)
def test_error_names_the_invalid_message(messages: Any, param: str) -> None:
    error = refused({"messages": messages})

    assert (error.code, error.param) == ("invalid_request", param)
    assert f"'{param}'" in error.message


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("content", ["hi", "", " ", [], [{"type": "text", "text": "hi"}]])
def test_roles_and_contents_are_accepted(role: str, content: Any) -> None:
    message = {"role": role, "content": content, "name": "x", "reasoning_content": "hm", "cache_control": {}}

    assert load(messages=[message])["messages"] == [message]


@pytest.mark.parametrize("message", [{"role": "assistant"}, {"role": "assistant", "content": None}])
def test_content_is_optional(message: dict[str, Any]) -> None:
    message |= {"tool_calls": None, "function_call": None, "refusal": None}

    assert load(messages=[message])["messages"] == [{"role": "assistant"}]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 0),
        ("temperature", 2),
        ("temperature", 0.7),
        ("top_p", 0),
        ("top_p", 1),
        ("max_tokens", 1),
        ("max_completion_tokens", 100_000),
        ("stop", "END"),
        ("stop", ""),
        ("stop", []),
        ("stop", ["a", "b", "c", "d"]),
        ("stream", True),
        ("stream", False),
        ("stream_options", {}),
        ("stream_options", {"include_usage": True, "include_obfuscation": False}),
        ("n", 1),
        ("n", MAX_CHOICES),
        ("input", "hello"),
        ("instructions", "be kind"),
        ("system", [{"type": "text", "text": "be kind"}]),
        ("text", {"verbosity": "low"}),
        ("max_output_tokens", 1),
        ("stop_sequences", ["a", "b", "c", "d", "e"]),
        ("model", "claude-opus-latest"),
        ("tool_choice", "auto"),
        ("tool_choice", {"type": "function", "function": {"name": "f"}}),
        ("tools", []),
        ("seed", 7),
        ("user", {"anything": "goes"}),
        ("unheard_of", [1]),
        ("with.dots", 1),
    ],
)
def test_valid_values_are_unchanged(field: str, value: Any) -> None:
    assert load(**{field: value})[field] == value


@pytest.mark.parametrize("field", [*ChatCompletionSchema().fields, "unheard_of"])
def test_null_counts_as_absent(field: str) -> None:
    if field != "messages":
        assert load(**{field: None}) == {"messages": HELLO}


def test_null_in_stream_options_counts_as_absent() -> None:
    assert load(stream_options={"include_usage": None})["stream_options"] == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[
            (field, True)
            for field in ("temperature", "top_p", "max_tokens", "max_completion_tokens", "n", "stop")
        ],
        *[(field, "1") for field in ("stream", "n", "stream_options")],
        *[
            (field, 1)
            for field in ("stream", "model", "session_id", "project_id", "system_prompt", "logprobs")
        ],
        *[(field, {}) for field in ("temperature", "max_tokens", "stop", "tools", "modalities")],
        *[(field, "x") for field in ("max_tokens", "temperature", "top_p")],
        ("n", 0),
        ("temperature", float("nan")),
        ("temperature", 10**400),
        ("n", MAX_CHOICES + 1),
        ("instructions", ["be kind"]),
        ("system", 1),
        ("text", "low"),
        ("stop_sequences", "END"),
        ("stop", ["a"] * 8192),
        ("stream_options", []),
        ("response_format", "json"),
        ("thinking", True),
    ],
)
def test_error_names_the_invalid_value(field: str, value: Any) -> None:
    error = refused({"messages": HELLO, field: value})

    assert (error.status, error.code, error.param) == (400, "invalid_request", field)
    assert f"'{field}'" in error.message


@pytest.mark.parametrize(
    ("field", "value", "param"),
    [
        ("stop", ["a", 1], "stop[1]"),
        ("stop", [None], "stop[0]"),
        ("stream_options", {"include_usage": "yes"}, "stream_options.include_usage"),
        ("tools", [{}, "f"], "tools[1]"),
        ("modalities", ["text", 1], "modalities[1]"),
    ],
)
def test_error_names_the_invalid_list_item(field: str, value: Any, param: str) -> None:
    assert refused({"messages": HELLO, field: value}).param == param


@pytest.mark.parametrize("body", [[], "hello", 1, None, [HELLO]])
def test_body_must_be_an_object(body: Any) -> None:
    error = refused(body)

    assert (error.code, error.param) == ("invalid_request", None)
    assert error.message == "Invalid request body: Expected an object."


@pytest.mark.parametrize(
    ("messages", "param", "text"),
    [
        ({"temperature": ["Too hot."]}, "temperature", "Invalid 'temperature': Too hot."),
        ({"json": {"temperature": ["Too hot."]}}, "temperature", "Invalid 'temperature': Too hot."),
        ({"json": ["Invalid JSON body."]}, None, "Invalid request body: Invalid JSON body."),
        ({"json": {"_schema": ["No."]}}, None, "Invalid request body: No."),
        ({"query": {"page": ["No."]}}, "page", "Invalid 'page': No."),
        ({"path": ["No."]}, "path", "Invalid 'path': No."),
        ({"json": {"path": ["No."]}}, "path", "Invalid 'path': No."),
        ({"a": {0: {"b": {"_schema": ["No."]}}}}, "a[0].b", "Invalid 'a[0].b': No."),
        ({"a": {0: {1: ["No."]}}}, "a[0][1]", "Invalid 'a[0][1]': No."),
        (["No."], None, "Invalid request body: No."),
        ({}, None, "Invalid request body: The request is not valid."),
    ],
)
def test_field_error_has_param_and_message(messages: Any, param: str | None, text: str) -> None:
    error = field_error(messages)

    assert (error.param, error.message) == (param, text)


def test_missing_messages_have_a_code_inside_a_location() -> None:
    error = field_error({"json": ChatCompletionSchema().validate({})})

    assert (error.code, error.param) == ("missing_messages", "messages")


@pytest.mark.parametrize("given", ["hello", [{"role": "user"}]])
def test_input_may_replace_messages(given: Any) -> None:
    assert ChatCompletionSchema().load({"input": given}) == {"input": given}


def test_problems_are_listed_in_order() -> None:
    wrong = ChatCompletionSchema().validate({"messages": [{"role": None}], "n": 0, "stream": 1})

    assert {error.param for error in field_errors(wrong)} == {"messages[0].role", "n", "stream"}
