"""Events become chat completion chunks, or one chat completion."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.dialects.chat.answers import Collector, StreamEncoder
from gateway.dialects.common import sse
from gateway.dialects.common.openai_answers import FINISH_REASONS
from gateway.errors import Overloaded, UpstreamError
from gateway.turn import (
    Done,
    Event,
    Idle,
    Started,
    Text,
    Thinking,
    ToolArguments,
    ToolCall,
    Usage,
)
from tests.unit.dialects.test_chat_dialect import payloads

USAGE = Usage(
    input_tokens=10,
    cache_read_tokens=200,
    cache_write_tokens=30,
    output_tokens=7,
    thinking_tokens=4,
    cost_usd=0.5,
)
WIRE_USAGE = {
    "prompt_tokens": 240,
    "completion_tokens": 7,
    "total_tokens": 247,
    "prompt_tokens_details": {"cached_tokens": 200, "cache_write_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 4},
    "cost": 0.5,
}
START = Started("claude-test-1")
END = Done("end_turn", USAGE)
TOOLS: list[Event] = [
    ToolCall(0, "call_a", "now"),
    ToolCall(1, "call_b", "add"),
    ToolArguments(1, ""),
    ToolArguments(1, '{"a":'),
    ToolArguments(1, " 1}"),
    ToolCall(2, "call_c", "later"),
]


def stream(*batches: list[Event], include_usage: bool = False) -> bytes:
    encoder = StreamEncoder("chatcmpl-1", 1700000000, include_usage)
    return b"".join(encoder.encode(batch) for batch in batches)


def chunks(*batches: list[Event], include_usage: bool = False) -> list[ChatCompletionChunk]:
    raw = stream(*batches, include_usage=include_usage)
    return [ChatCompletionChunk.model_validate(payload, strict=True) for payload in payloads(raw)]


def deltas(*events: Event) -> list[dict[str, Any]]:
    return [payload["choices"][0]["delta"] for payload in payloads(stream([START, *events]))]


def test_text_stream_is_exact_to_the_byte() -> None:
    head = (
        b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,'
        b'"model":"claude-test-1","choices":[{"index":0,"delta":'
    )
    tail = b',"logprobs":null,"finish_reason":null}]}\n\n'
    assert stream([START]) == head + b'{"role":"assistant","content":""}' + tail
    assert stream([START], [Text("é")]).endswith(head + '{"content":"é"}'.encode() + tail)
    assert stream([START], [END]).endswith(
        head + b'{},"logprobs":null,"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )


def test_sdk_reads_the_stream() -> None:
    got = chunks([START], [Thinking("hm"), Text("a")], [Text("b")], [], [END], include_usage=True)

    assert {(chunk.id, chunk.created, chunk.model) for chunk in got} == {
        ("chatcmpl-1", 1700000000, "claude-test-1")
    }
    assert [chunk.choices[0].delta.role for chunk in got[:-1]] == ["assistant", None, None, None, None]
    assert [chunk.choices[0].delta.content for chunk in got[:-1]] == ["", None, "a", "b", None]
    assert got[1].choices[0].delta.model_extra == {"reasoning_content": "hm"}
    assert [chunk.choices[0].finish_reason for chunk in got[:-1]] == [None] * 4 + ["stop"]
    assert got[-1].choices == []
    assert [chunk.usage for chunk in got[:-1]] == [None] * 5
    assert got[-1].usage is not None
    assert got[-1].usage.model_dump(exclude_unset=True) == WIRE_USAGE


def test_stream_does_not_depend_on_the_size_of_batches() -> None:
    events: list[Event] = [START, Thinking("t"), Text("x"), Text("y"), *TOOLS, END]

    assert stream(events) == stream(*[[event] for event in events])


def test_event_without_a_chunk_encodes_to_nothing() -> None:
    assert stream([]) == b""
    assert stream([ToolArguments(0, "")]) == b""


def test_role_is_sent_once() -> None:
    assert [delta.get("role") for delta in deltas(START, Text("a"))] == ["assistant", None]


def test_usage_is_sent_only_on_request() -> None:
    assert b'"usage"' not in stream([START, Text("a"), END])


def test_chunks_have_no_error_field() -> None:
    assert b'"error"' not in stream([START, Text("a"), *TOOLS, END], include_usage=True)


def test_idle_becomes_a_keep_alive() -> None:
    assert stream([Idle()]) == b": keep-alive\n\n"


@settings(deadline=None)
@given(st.lists(st.text(st.characters(), min_size=1), max_size=5))
def test_any_text_survives_the_stream(texts: list[str]) -> None:
    raw = stream([START], [Text(text) for text in texts], [END])

    assert raw.decode().splitlines() == raw.decode().split("\n")[:-1]
    contents = [payload["choices"][0]["delta"].get("content", "") for payload in payloads(raw)]
    assert "".join(contents) == "".join(texts)


@pytest.mark.parametrize("text", ["naïve 日本 😀", "a\u2028b\u2029c\x85d", "\r\n\t\0\x1c", '"\\', "\ud83d"])
def test_unusual_text_survives_the_stream(text: str) -> None:
    assert deltas(Text(text), Thinking(text))[1:] == [{"content": text}, {"reasoning_content": text}]


def test_tool_calls_are_sent_as_deltas() -> None:
    def call(index: int, arguments: str, **first: str) -> dict[str, Any]:
        name = {"name": first.pop("name")} if first else {}
        kind = {"type": "function"} if first else {}
        function = {**name, "arguments": arguments}
        return {"tool_calls": [{"index": index, **first, **kind, "function": function}]}

    assert deltas(*TOOLS, Done("tool_use", USAGE))[1:-1] == [
        call(0, "", id="call_a", name="now"),
        call(0, "{}"),
        call(1, "", id="call_b", name="add"),
        call(1, '{"a":'),
        call(1, " 1}"),
        call(2, "", id="call_c", name="later"),
        call(2, "{}"),
    ]


def test_sdk_reads_tool_calls() -> None:
    got = chunks([START, *TOOLS], [Done("tool_use", USAGE)])

    assert got[-1].choices[0].finish_reason == "tool_calls"
    arguments = {0: "", 1: "", 2: ""}
    for chunk in got:
        for call in chunk.choices[0].delta.tool_calls or []:
            assert call.function is not None
            arguments[call.index] += call.function.arguments or ""
    assert arguments == {0: "{}", 1: '{"a": 1}', 2: "{}"}


def test_arguments_of_the_next_call_end_a_call() -> None:
    got = deltas(ToolCall(0, "a", "f"), ToolArguments(1, "[]"))[2:]

    assert [delta["tool_calls"][0]["index"] for delta in got] == [0, 1]


@pytest.mark.parametrize(
    ("stop_reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
    ],
)
def test_stop_reasons_become_finish_reasons(stop_reason: str, expected: str) -> None:
    done = Done(stop_reason, USAGE)

    assert chunks([START, done])[-1].choices[0].finish_reason == expected
    assert completion([START, Text("a"), done]).choices[0].finish_reason == expected
    assert stop_reason in FINISH_REASONS or expected == "stop"


def test_error_ends_the_stream_without_done() -> None:
    raw = StreamEncoder("chatcmpl-1", 1).error(Overloaded("busy\u2028now"))

    assert len(raw.decode().splitlines()) == 2
    assert payloads(raw) == [
        {"error": {"message": "busy\u2028now", "type": "server_error", "param": None, "code": "overloaded"}}
    ]


def collect(*batches: list[Event]) -> dict[str, Any]:
    collector = Collector("chatcmpl-1", 1700000000)
    for batch in batches:
        collector.add(batch)
    return collector.body()


def completion(*batches: list[Event]) -> ChatCompletion:
    return ChatCompletion.model_validate(collect(*batches), strict=True)


def test_events_are_collected_as_one_completion() -> None:
    assert collect([START], [Idle(), Text("a")], [], [Text("b"), END]) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "claude-test-1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "ab", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": WIRE_USAGE,
    }


def test_sdk_reads_the_completion() -> None:
    got = completion([START, Thinking("h"), Thinking("m"), *TOOLS, Done("tool_use", Usage())])

    message = got.choices[0].message
    assert message.content is None
    assert message.model_extra == {"reasoning_content": "hm"}
    assert [(call.id, call.type) for call in message.tool_calls or []] == [
        ("call_a", "function"),
        ("call_b", "function"),
        ("call_c", "function"),
    ]
    functions = [call.function for call in message.tool_calls or [] if call.type == "function"]
    assert [(function.name, function.arguments) for function in functions] == [
        ("now", "{}"),
        ("add", '{"a": 1}'),
        ("later", "{}"),
    ]
    assert got.usage is not None
    assert "cost" not in (got.usage.model_extra or {})


def test_text_beside_tool_calls_is_kept() -> None:
    assert completion([START, Text("Let me see."), *TOOLS, END]).choices[0].message.content == "Let me see."


def test_empty_answer_is_an_empty_string() -> None:
    assert completion([START, END]).choices[0].message.content == ""


def test_incomplete_answer_is_an_error() -> None:
    with pytest.raises(UpstreamError):
        collect([START, Text("a")])


def test_events_and_comments_are_framed() -> None:
    assert sse.data(b"{}") == b"data: {}\n\n"
    assert sse.comment("hello") == b": hello\n\n"
    assert sse.DONE == b"data: [DONE]\n\n"
