"""Several answers to one request, and the formats of tool calls."""

from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.dialects.chat.answers import Collector, StreamEncoder
from gateway.dialects.common.tool_call_format import ToolCallFormat
from gateway.errors import UpstreamError
from gateway.turn import Done, Event, Idle, Started, Text, ToolArguments, ToolCall, Usage, sum_usage
from tests.unit.dialects.test_chat_dialect import payloads

START = Started("claude-test-1")
USAGE = Usage(
    input_tokens=1,
    cache_read_tokens=2,
    cache_write_tokens=3,
    output_tokens=4,
    thinking_tokens=5,
    cost_usd=0.25,
)
END = Done("end_turn", USAGE)
CALLED = Done("tool_use", USAGE)

Pairs = list[tuple[int, list[Event]]]

INTERLEAVED: Pairs = [
    (1, [START]),
    (0, [Started("claude-other"), Text("a")]),
    (1, [Text("x")]),
    (1, [Idle()]),
    (0, [END]),
    (1, [Text("y"), Done("max_tokens", USAGE)]),
]
DEPRECATED = ToolCallFormat(deprecated=True)
RAW = ToolCallFormat(raw=frozenset({"patch"}))


def stream(
    pairs: Pairs, n: int = 1, include_usage: bool = False, call_format: ToolCallFormat | None = None
) -> bytes:
    encoder = StreamEncoder(
        "chatcmpl-1", 1700000000, include_usage, n=n, call_format=call_format or ToolCallFormat()
    )
    return b"".join(encoder.encode(batch, index) for index, batch in pairs)


def chunks(raw: bytes) -> list[ChatCompletionChunk]:
    data = raw.replace(b": keep-alive\n\n", b"")
    return [ChatCompletionChunk.model_validate(payload, strict=True) for payload in payloads(data)]


def collect(pairs: Pairs, n: int = 1, call_format: ToolCallFormat | None = None) -> dict[str, Any]:
    completion = Collector("chatcmpl-1", 1700000000, n, call_format or ToolCallFormat())
    for index, batch in pairs:
        completion.add(batch, index)
    body = completion.body()
    ChatCompletion.model_validate(body, strict=True)
    return body


def test_chunks_of_choices_are_interleaved() -> None:
    raw = stream(INTERLEAVED, n=2, include_usage=True)
    got = chunks(raw)

    assert raw.endswith(b"data: [DONE]\n\n")
    assert raw.count(b"[DONE]") == raw.count(b": keep-alive") == raw.count(b'"usage"') == 1
    assert {(chunk.id, chunk.created, chunk.model) for chunk in got} == {
        ("chatcmpl-1", 1700000000, "claude-test-1")
    }
    for index, (text, reason) in enumerate([("a", "stop"), ("xy", "length")]):
        mine = [choice for chunk in got for choice in chunk.choices if choice.index == index]
        assert [choice.delta.role for choice in mine] == ["assistant"] + [None] * (len(mine) - 1)
        assert "".join(choice.delta.content or "" for choice in mine) == text
        assert [choice.finish_reason for choice in mine] == [None] * (len(mine) - 1) + [reason]
    assert got[-1].choices == []


def test_stream_goes_on_until_the_last_choice_ends() -> None:
    assert b"[DONE]" not in stream(INTERLEAVED[:-1], n=2, include_usage=True)


def test_usage_of_choices_is_summed() -> None:
    last = chunks(stream(INTERLEAVED, n=2, include_usage=True))[-1].usage
    summed = collect(INTERLEAVED, n=2)["usage"]

    assert last is not None
    assert last.model_dump(exclude_unset=True) == summed
    assert summed == {
        "prompt_tokens": 12,
        "completion_tokens": 8,
        "total_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 6},
        "completion_tokens_details": {"reasoning_tokens": 10},
        "cost": 0.5,
    }


@pytest.mark.parametrize(
    ("costs", "summed"), [([None, None], None), ([0.5, None], 0.5), ([0.5, 0.25], 0.75), ([0.0], 0.0)]
)
def test_costs_are_summed_if_any_is_known(costs: list[float | None], summed: float | None) -> None:
    assert sum_usage([Usage(cost_usd=cost) for cost in costs]).cost_usd == summed


def test_choices_are_collected_in_one_completion() -> None:
    body = collect(INTERLEAVED, n=2)

    assert body["model"] == "claude-test-1"
    assert [
        (choice["index"], choice["message"]["content"], choice["finish_reason"]) for choice in body["choices"]
    ] == [(0, "a", "stop"), (1, "xy", "length")]


def test_completion_needs_the_end_of_every_choice() -> None:
    with pytest.raises(UpstreamError):
        collect(INTERLEAVED[:-1], n=2)


def test_choices_number_their_tool_calls_separately() -> None:
    pairs: Pairs = [
        (0, [START, ToolCall(0, "a", "f")]),
        (1, [START, ToolCall(0, "b", "g")]),
        (0, [ToolArguments(0, '{"x":1}'), CALLED]),
        (1, [CALLED]),
    ]
    arguments = {0: "", 1: ""}
    for chunk in chunks(stream(pairs, n=2)):
        for choice in chunk.choices:
            for call in choice.delta.tool_calls or []:
                assert call.index == 0
                arguments[choice.index] += (call.function and call.function.arguments) or ""

    assert arguments == {0: '{"x":1}', 1: "{}"}
    calls = [choice["message"]["tool_calls"][0] for choice in collect(pairs, n=2)["choices"]]
    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [("a", '{"x":1}'), ("b", "{}")]


CALLS: list[Event] = [
    START,
    ToolCall(0, "a", "now"),
    ToolArguments(0, '{"zone":'),
    ToolArguments(0, '"utc"}'),
    ToolCall(1, "b", "later"),
    CALLED,
]


def test_deprecated_functions_get_a_function_call() -> None:
    got = chunks(stream([(0, CALLS)], call_format=DEPRECATED))
    deltas = [chunk.choices[0].delta for chunk in got]
    called = [delta.function_call for delta in deltas if delta.function_call]

    assert [call.name for call in called] == ["now", None, None]
    assert "".join(call.arguments or "" for call in called) == '{"zone":"utc"}'
    assert all(delta.tool_calls is None for delta in deltas)
    assert got[-1].choices[0].finish_reason == "function_call"
    choice = collect([(0, CALLS)], call_format=DEPRECATED)["choices"][0]
    assert choice["message"]["function_call"] == {"name": "now", "arguments": '{"zone":"utc"}'}
    assert choice["message"]["content"] is None
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"


def test_deprecated_functions_without_a_call_end_normally() -> None:
    assert chunks(stream([(0, [START, END])], call_format=DEPRECATED))[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("fragments", "expected"),
    [
        (['{"input":"*** Begin', ' Patch\\n+\\"é\\""}'], '*** Begin Patch\n+"é"'),
        (['{"input": "cut o'], '{"input": "cut o'),
        (['{"other": 1}'], '{"other": 1}'),
        (['{"input": 1}'], '{"input": 1}'),
        (["[]"], "[]"),
        ([], ""),
    ],
)
def test_free_text_arguments_are_sent_bare(fragments: list[str], expected: str) -> None:
    written: list[Event] = [ToolArguments(0, fragment) for fragment in fragments]
    after: list[Event] = [ToolCall(1, "b", "now"), ToolArguments(1, '{"input":"x"}'), CALLED]
    pairs: Pairs = [(0, [START, ToolCall(0, "a", "patch"), *written, *after])]

    arguments = {0: "", 1: ""}
    for chunk in chunks(stream(pairs, call_format=RAW)):
        for call in chunk.choices[0].delta.tool_calls or []:
            arguments[call.index] += (call.function and call.function.arguments) or ""
    calls = collect(pairs, call_format=RAW)["choices"][0]["message"]["tool_calls"]

    assert arguments == {0: expected, 1: '{"input":"x"}'}
    assert [call["function"]["arguments"] for call in calls] == [expected, '{"input":"x"}']
