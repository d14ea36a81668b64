"""Events become Messages API streams and messages, and errors get Anthropic's shape."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic.types import Message as AnthropicMessage
from anthropic.types import RawMessageStreamEvent
from anthropic.types.shared import ErrorResponse
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from gateway import errors
from gateway.dialects.messages.answers import Collector, StreamEncoder
from gateway.dialects.messages.errors import error_body, error_status
from gateway.errors import GatewayError, InvalidRequest, UpstreamError
from gateway.turn import (
    Done,
    Event,
    Idle,
    RedactedThinking,
    Refusal,
    Retracted,
    Started,
    Text,
    Thinking,
    ThinkingSignature,
    ToolArguments,
    ToolCall,
    Usage,
)
from tests.unit.dialects.test_messages_dialect import Body, text

# Answers

USAGE = Usage(input_tokens=1, cache_read_tokens=2, cache_write_tokens=3, output_tokens=4, thinking_tokens=5)
START = Started("claude-test-1", (), Usage(input_tokens=1))
END = Done("end_turn", USAGE)
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def stream(*events: Event) -> list[Body]:
    """Return the data of all events after checking types and names. Pings are checked and left out."""
    encoder = StreamEncoder("msg_1", "req_1")
    return list(parsed(b"".join(encoder.encode([event]) for event in events)))


def parsed(raw: bytes) -> Iterator[Body]:
    assert not raw or raw.endswith(b"\n\n")
    for framed in raw.decode().split("\n\n")[:-1]:
        name, _, data = framed.partition("\n")
        payload = json.loads(data.removeprefix("data: "))
        assert name == f"event: {payload['type']}"
        if payload["type"] != "ping":
            EVENT.validate_python(payload)
            yield payload


def collect(*events: Event) -> Body:
    answer = Collector("msg_1")
    answer.add(events)
    body = answer.body()
    AnthropicMessage.model_validate(body)
    return body


def build_message(events: list[Body]) -> Body:
    """Return the message that a client builds from a stream, and check the order of its events."""
    first, *middle, delta, last = events
    assert (first["type"], delta["type"], last["type"]) == ("message_start", "message_delta", "message_stop")
    content: list[Body] = []
    written: dict[int, str] = {}
    closed = 0
    for event in middle:
        if event["type"] == "content_block_start":
            assert event["index"] == len(content) == closed
            content.append(dict(event["content_block"]))
        elif event["type"] == "content_block_stop":
            assert event["index"] == closed == len(content) - 1
            closed += 1
        else:
            apply_delta(content, event["index"], event["delta"], written)
    assert closed == len(content)
    for index, fragments in written.items():
        content[index]["input"] = json.loads(fragments)
    return {**first["message"], **delta["delta"], "content": content, "usage": delta["usage"]}


def apply_delta(content: list[Body], index: int, delta: Body, written: dict[int, str]) -> None:
    key = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}.get(
        delta["type"]
    )
    if key:
        content[index][key] += delta[key]
    else:
        assert content[index]["type"] == "tool_use"
        written[index] = written.get(index, "") + delta["partial_json"]


ANSWERS: dict[str, tuple[list[Event], list[Body], Body]] = {
    "text": ([Text("Hel"), Idle(), Text("lo\u2028")], [text("Hello\u2028")], {}),
    "nothing": ([], [], {}),
    "all there is": (
        [
            Thinking("h"),
            Thinking("m"),
            Text("I look."),
            ToolCall(0, "t0", "f"),
            ToolArguments(0, '{"a":'),
            ToolArguments(0, "1}"),
            ToolCall(1, "t1", "g"),
        ],
        [
            {"type": "thinking", "thinking": "hm", "signature": ""},
            text("I look."),
            {"type": "tool_use", "id": "t0", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "t1", "name": "g", "input": {}},
        ],
        {},
    ),
    "signed thinking": (
        [
            Thinking("h"),
            ThinkingSignature("s1"),
            Thinking("m"),
            ThinkingSignature("s2"),
            RedactedThinking("secret"),
            ThinkingSignature("s3"),
            Text("I look."),
        ],
        [
            {"type": "thinking", "thinking": "h", "signature": "s1"},
            {"type": "thinking", "thinking": "m", "signature": "s2"},
            {"type": "redacted_thinking", "data": "secret"},
            {"type": "thinking", "thinking": "", "signature": "s3"},
            text("I look."),
        ],
        {},
    ),
    "words in place of JSON": ([Refusal("I won't.")], [text("I won't.")], {"stop_reason": "refusal"}),
}


@pytest.mark.parametrize(("events", "content", "more"), ANSWERS.values(), ids=ANSWERS)
def test_answer_streamed_and_collect(events: list[Event], content: list[Body], more: Body) -> None:
    usage = {
        "input_tokens": 1,
        "cache_read_input_tokens": 2,
        "cache_creation_input_tokens": 3,
        "output_tokens": 4,
        "output_tokens_details": {"thinking_tokens": 5},
    }
    expected = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-test-1",
        "content": content,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
        **more,
    }
    assert collect(START, *events, END) == expected
    assert build_message(stream(START, *events, END)) == expected


PIECES = st.text(min_size=1, max_size=5)
CALLS = st.lists(st.dictionaries(PIECES, st.integers() | st.text(max_size=3), max_size=3), max_size=3)


@given(
    st.lists(st.builds(Thinking, PIECES) | st.builds(Text, PIECES) | st.just(Idle()), max_size=12),
    CALLS,
    st.integers(1, 5),
)
def test_stream_and_whole_answer_are_equal(content: list[Event], calls: list[Body], size: int) -> None:
    events: list[Event] = [START, *content]
    for index, arguments in enumerate(calls):
        written = json.dumps(arguments)
        events.append(ToolCall(index, f"t{index}", "f"))
        events += [ToolArguments(index, written[at : at + size]) for at in range(0, len(written), size)]
    events.append(Done("tool_use" if calls else "end_turn", USAGE))
    assert build_message(stream(*events)) == collect(*events)


def test_stream_starts_with_the_tokens_of_the_prompt() -> None:
    first = stream(START)[0]
    assert first["message"]["usage"]["input_tokens"] == 1
    assert first["message"]["stop_reason"] is None


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        (Done("stop_sequence", USAGE, "END"), {"stop_reason": "stop_sequence", "stop_sequence": "END"}),
        (Done("max_tokens", USAGE), {"stop_reason": "max_tokens", "stop_sequence": None}),
        (Done("something_new", USAGE), {"stop_reason": "end_turn", "stop_sequence": None}),
    ],
)
def test_stop_reason_is_passed_on(done: Done, expected: Body) -> None:
    assert stream(START, done)[-2]["delta"] == expected
    assert collect(START, done).items() >= expected.items()


def test_edits_of_the_prompt_are_listed_where_the_api_lists_them() -> None:
    """Source: https://platform.claude.com/docs/en/build-with-claude/context-editing."""
    edited = {"applied_edits": [{"type": "clear_tool_uses_20250919", "cleared_tool_uses": 8}]}
    done = Done("end_turn", USAGE, context_management=edited)
    assert stream(START, done)[-2]["context_management"] == edited
    assert collect(START, done)["context_management"] == edited
    assert "context_management" not in collect(START, END)


def test_arguments_that_were_cut_off_are_empty() -> None:
    events: list[Event] = [
        START,
        ToolCall(0, "t0", "f"),
        ToolArguments(0, '{"a": "b'),
        Done("max_tokens", USAGE),
    ]
    assert collect(*events)["content"][0]["input"] == {}


def test_retracted_text_is_dropped_or_ends_the_stream() -> None:
    assert collect(START, Text("wrong"), Retracted(), Text("right"), END)["content"] == [text("right")]
    with pytest.raises(UpstreamError):
        stream(START, Text("wrong"), Retracted())


def test_incomplete_answer_is_an_error() -> None:
    answer = Collector("msg_1")
    answer.add([START, Text("a")])
    with pytest.raises(UpstreamError):
        answer.body()


# Errors


def error_types(kind: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from error_types(narrower)


TYPES = {
    errors.InvalidRequest: (400, "invalid_request_error"),
    errors.InvalidKey: (401, "authentication_error"),
    errors.ModelNotAllowed: (403, "permission_error"),
    errors.ModelNotFound: (404, "not_found_error"),
    errors.MethodNotAllowed: (405, "invalid_request_error"),
    errors.RequestTooLarge: (413, "request_too_large"),
    errors.TooManyTurns: (429, "rate_limit_error"),
    errors.GatewayError: (500, "api_error"),
    errors.UpstreamError: (502, "api_error"),
    errors.ClaudeUnavailable: (503, "api_error"),
    errors.TurnTimeout: (504, "timeout_error"),
    errors.Overloaded: (529, "overloaded_error"),
}


@pytest.mark.parametrize(
    ("kind", "expected"), TYPES.items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_errors_have_the_types_of_anthropic(kind: type[GatewayError], expected: tuple[int, str]) -> None:
    error = kind("Why.")
    body = {"type": "error", "error": {"type": expected[1], "message": "Why."}, "request_id": "req_1"}
    assert error_status(error) == expected[0]
    assert error_body(error, "req_1") == body
    (line, data) = StreamEncoder("msg_1", "req_1").error(error).decode().splitlines()[:2]
    assert line == "event: error"
    assert json.loads(data.removeprefix("data: ")) == body


@pytest.mark.parametrize("kind", list(error_types()))
def test_every_error_has_the_shape_of_anthropic(kind: type[GatewayError]) -> None:
    body = error_body(kind("Why."), "req_1")
    if body["error"]["type"] != "request_too_large":  # documented, but not in the types of the SDK
        ErrorResponse.model_validate(body)


def test_messages_contain_the_words_that_clients_look_for() -> None:
    too_long = errors.ContextLengthExceeded("It does not fit.", param="messages")
    assert "prompt is too long" in error_body(too_long, "")["error"]["message"]
    unfit = InvalidRequest("It is unfit.", param="output_schema")
    assert "output_config.format" in error_body(unfit, "")["error"]["message"]


def test_hidden_thinking_leaves_no_gap_in_the_blocks() -> None:
    """An answer of a model that thinks although the client has turned thinking off."""
    events: list[Event] = [
        START, Thinking("hm"), ThinkingSignature("s"), Text("I look."), RedactedThinking("x"), Text(" Now."),
        ToolCall(0, "t0", "f"), ToolArguments(0, "{}"), END,
    ]  # fmt: skip
    encoder = StreamEncoder("msg_1", "req_1", shows_thinking=False)
    collector = Collector("msg_1", shows_thinking=False)
    collector.add(events)
    streamed = build_message(list(parsed(b"".join(encoder.encode([event]) for event in events))))
    assert [block["type"] for block in streamed["content"]] == ["text", "tool_use"]
    assert streamed["content"] == collector.body()["content"]
    assert streamed["usage"]["output_tokens_details"] == {"thinking_tokens": 5}
