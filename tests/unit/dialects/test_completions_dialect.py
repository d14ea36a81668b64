"""Legacy completions: a prompt becomes turns, and events become a completion or its stream."""

from typing import Any

import pytest
from openai.types import Completion

from gateway.dialects.completions import request as completions
from gateway.dialects.completions.answers import Collector, StreamEncoder
from gateway.errors import InvalidRequest, UpstreamError
from gateway.schemas.completions import CompletionSchema
from gateway.schemas.errors import field_error
from gateway.turn import Done, Event, Idle, Message, Sampling, Started, Text, Thinking, Turn, Usage
from tests.unit.dialects.test_chat_dialect import payloads

Body = dict[str, Any]

USAGE = Usage(input_tokens=1, output_tokens=4)
START = Started("claude-test-1")


def request(**fields: Any) -> completions.CompletionRequest:
    problems = CompletionSchema().validate(fields)
    if problems:
        raise field_error(problems)
    return completions.parse_request(CompletionSchema().load(fields))


def turn_with(prompt: str) -> Turn:
    return Turn((Message("user", ({"type": "text", "text": prompt},)),))


def test_request_becomes_turns_and_options() -> None:
    parsed = request(prompt=["a ", " b"], n=2, echo=True, stream=True, stream_options={"include_usage": True})
    assert parsed.turns == (turn_with("a "), turn_with(" b"))
    assert (parsed.n, parsed.echoes) == (2, ("a ", "a ", " b", " b"))
    assert (parsed.stream, parsed.include_usage, parsed.ignored) == (True, True, ())
    parsed = request(
        prompt="a", max_tokens=5, temperature=2, stop="x", best_of=3, seed=1, user=None, new=True
    )
    assert parsed.turns[0].sampling == Sampling(5, 1.0, None, ("x",))
    assert (parsed.n, parsed.echoes, parsed.stream) == (1, ("",), False)
    assert parsed.ignored == ("best_of", "new", "seed")


def test_default_values_are_not_listed_as_ignored() -> None:
    parsed = request(prompt="a", best_of=1, suffix="", logprobs=None, frequency_penalty=0, echo=False)
    assert parsed.ignored == ()


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": ["a", ""]}, "prompt[1]"),
        ({"prompt": ["a", 5]}, "prompt[1]"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1, 2], [3]]}, "prompt[0]"),
        ({"prompt": ["a"] * 5, "n": 2}, "prompt"),
        ({"prompt": "a", "n": 9}, "n"),
        ({"prompt": "a", "suffix": "b"}, "suffix"),
        ({"prompt": "a", "logprobs": 0}, "logprobs"),
        ({"prompt": "a", "max_tokens": "x"}, "max_tokens"),
        ({"prompt": "a", "echo": "yes"}, "echo"),
    ],
    ids=str,
)
def test_invalid_field_is_named(fields: Body, where: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        request(**fields)
    assert refused.value.param == where


def test_stream_interleaves_choices_and_ends_with_usage() -> None:
    batches: list[tuple[int, list[Event]]] = [
        (0, [START, Thinking("hm")]),
        (1, [Started("claude-other"), Text("x")]),
        (0, [Text("a\u2028"), Done("max_tokens", USAGE)]),
        (1, [Done("end_turn", USAGE)]),
    ]
    encoder = StreamEncoder("cmpl-1", 1700000000, ["p", ""], include_usage=True)
    raw = b"".join(encoder.encode(batch, index) for index, batch in batches)
    # OpenAI's API sends null in all chunks of a choice except the last, but the type in its SDK forbids it.
    chunks = [Completion.construct(**payload) for payload in payloads(raw)]
    assert [(chunk.choices[0].index, chunk.choices[0].text) for chunk in chunks[:-1]] == [
        (0, "p"),
        (1, "x"),
        (0, "a\u2028"),
        (0, ""),
        (1, ""),
    ]
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None, None, None, "length", "stop"]
    for chunk in chunks[3:]:
        Completion.model_validate(chunk.to_dict())
    assert {(chunk.id, chunk.model, chunk.created) for chunk in chunks} == {
        ("cmpl-1", "claude-test-1", 1700000000)
    }
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 10
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_stream_encodes_keep_alives_and_errors() -> None:
    encoder = StreamEncoder("cmpl-1", 1700000000, [""], include_usage=False)
    assert encoder.encode([Idle()]) == b": keep-alive\n\n"
    assert encoder.error(UpstreamError("Why.")).startswith(b'data: {"error":{"message":"Why."')


def test_answer_without_an_end_is_an_error() -> None:
    answer = Collector("cmpl-1", 1700000000, [""])
    answer.add([START, Text("a")])
    with pytest.raises(UpstreamError):
        answer.body()
