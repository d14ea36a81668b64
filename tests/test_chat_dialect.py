"""Chat completions to Turn, and events back to chunks and completions."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.dialects import sse
from gateway.dialects.chat import ChatRequest, parse
from gateway.dialects.chat_answers import FINISH_REASONS, Completion, StreamEncoder
from gateway.dialects.conversation import NUDGE, OPENING
from gateway.dialects.parameters import MOST_NAMED
from gateway.errors import InvalidRequest, Overloaded, UnsupportedParameter, UpstreamError
from gateway.schemas.chat import ChatCompletionSchema
from gateway.turn import (
    Done,
    Event,
    Idle,
    Message,
    Sampling,
    Started,
    Text,
    Thinking,
    ToolArguments,
    ToolCall,
    Usage,
)

SCHEMA = ChatCompletionSchema()
HELLO = {"role": "user", "content": "hello"}


def request(*messages: dict[str, Any], **fields: Any) -> ChatRequest:
    body = {"messages": list(messages) or [HELLO], **fields}
    return parse(SCHEMA.load(body))


def refused(*messages: dict[str, Any], **fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        request(*messages, **fields)
    return caught.value


def said(messages: tuple[Message, ...]) -> list[tuple[str, list[str]]]:
    return [(message.role, [block["text"] for block in message.content]) for message in messages]


def parts(*texts: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text} for text in texts]


# The conversation


def test_plain_question() -> None:
    assert said(request(HELLO).turn.messages) == [("user", ["hello"])]


def test_system_messages_are_hoisted_in_order() -> None:
    turn = request(
        {"role": "developer", "content": "one\n"},
        HELLO,
        {"role": "system", "content": parts("two, ", "and more")},
        {"role": "user", "content": "again"},
        {"role": "system", "content": " "},
        {"role": "system"},
        system_prompt="zero",
    ).turn

    assert turn.system == ("zero", "one\n", "two, and more")
    assert said(turn.messages) == [("user", ["hello", "again"])]


@pytest.mark.parametrize("content", [None, "", " ", "\n\t", [], parts(""), parts(" ", "\n")])
@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_blank_messages_are_dropped(role: str, content: Any) -> None:
    turn = request(HELLO, {"role": role, "content": content}, {"role": "user", "content": "again"}).turn

    assert turn.system == ()
    assert said(turn.messages) == [("user", ["hello", "again"])]


def test_text_is_kept_as_sent() -> None:
    turn = request(
        {"role": "user", "content": parts(" a ", "", "\r\nb\n")},
        {"role": "assistant", "content": "trailing \n"},
        {"role": "user", "content": "\u2028é\0"},
    ).turn

    assert said(turn.messages) == [
        ("user", [" a ", "\r\nb\n"]),
        ("assistant", ["trailing \n"]),
        ("user", ["\u2028é\0"]),
    ]


def test_half_an_emoji_is_replaced() -> None:
    turn = request({"role": "user", "content": "cut \ud83d"}, system_prompt="\ude00 whole 😀").turn

    assert said(turn.messages) == [("user", ["cut \ufffd"])]
    assert turn.system == ("\ufffd whole 😀",)


def test_refusals_are_the_assistants_text() -> None:
    turn = request(
        HELLO,
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "assistant", "content": None, "refusal": "Never."},
        {"role": "user", "content": "why?"},
    ).turn

    assert said(turn.messages)[1] == ("assistant", ["No.", "Never."])


def test_replayed_extras_are_ignored() -> None:
    extras: dict[str, Any] = {"name": "bob", "tool_calls": [], "function_call": None, "audio": None}
    answer = {"role": "assistant", "content": "hi", "reasoning_content": "hm", "annotations": [], **extras}
    part = {
        "type": "text",
        "text": "on",
        "cache_control": {"type": "ephemeral"},
        "prompt_cache_breakpoint": {},
    }

    parsed = request(HELLO, answer, {"role": "user", "content": [part]})

    assert said(parsed.turn.messages) == [("user", ["hello"]), ("assistant", ["hi"]), ("user", ["on"])]
    assert parsed.turn.messages[2].content == ({"type": "text", "text": "on"},)
    assert parsed.ignored == ()


def test_assistant_first_and_last() -> None:
    turn = request({"role": "assistant", "content": "Once upon"}).turn

    assert said(turn.messages) == [("user", [OPENING]), ("assistant", ["Once upon"]), ("user", [NUDGE])]


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "be kind"}],
        [{"role": "user", "content": " "}],
        [{"role": "user"}, {"role": "assistant", "content": ""}],
    ],
)
def test_nobody_says_anything(messages: list[dict[str, Any]]) -> None:
    error = refused(*messages)

    assert (error.code, error.param) == ("missing_user_message", "messages")


TEXTS = st.text(max_size=8) | st.sampled_from(["", " ", "\n", "hello", " a "])
CONTENTS = st.none() | TEXTS | st.lists(TEXTS, max_size=3).map(lambda texts: parts(*texts))
MESSAGES = st.builds(
    lambda role, content: {"role": role, "content": content}, st.sampled_from(["user", "assistant"]), CONTENTS
)


def texts_of(message: dict[str, Any]) -> list[str]:
    content = message["content"]
    texts = [part["text"] for part in content] if isinstance(content, list) else [content or ""]
    return [text for text in texts if text.strip()]


@settings(deadline=None)
@given(st.lists(MESSAGES, min_size=1, max_size=8))
def test_any_conversation(messages: list[dict[str, Any]]) -> None:
    spoken = [(message["role"], text) for message in messages for text in texts_of(message)]
    if not spoken:
        assert refused(*messages).code == "missing_user_message"
        return

    turn = request(*messages).turn

    expected = [("user", OPENING)] * (spoken[0][0] == "assistant") + spoken
    expected += [("user", NUDGE)] * (spoken[-1][0] == "assistant")
    assert [(role, text) for role, texts in said(turn.messages) for text in texts] == expected
    roles = [message.role for message in turn.messages]
    assert roles == [role for role, _ in groupby(roles)]
    assert roles[0] == roles[-1] == "user"


def test_spoken_answers_are_not_supported() -> None:
    error = refused(HELLO, {"role": "assistant", "audio": {"id": "x"}})

    assert isinstance(error, UnsupportedParameter)
    assert (error.code, error.param) == ("unsupported_parameter", "messages[1].audio")


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        ("user", "input_audio"),
        *[(role, kind) for role in ("assistant", "system") for kind in ("image_url", "file", "input_audio")],
    ],
)
def test_parts_not_supported(role: str, kind: str) -> None:
    error = refused(HELLO, {"role": role, "content": [*parts("see"), {"type": kind, kind: {}}]})

    assert isinstance(error, UnsupportedParameter)
    assert error.param == f"messages[1].content[1].{kind}"


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "video"}, "type"),
        ({"type": None}, "type"),
        ({"type": ["text"]}, "type"),
        ({"text": "no type"}, "type"),
        ({"type": "refusal", "refusal": "not the user's"}, "type"),
        ({"type": "text"}, "text"),
        ({"type": "text", "text": None}, "text"),
        ({"type": "text", "text": 7}, "text"),
    ],
)
def test_wrong_parts_are_named(part: dict[str, Any], param: str) -> None:
    error = refused(HELLO, {"role": "user", "content": [*parts("ok"), part]})

    assert not isinstance(error, UnsupportedParameter)
    assert error.param == f"messages[1].content[1].{param}"
    assert error.param in error.message


# Parameters


@pytest.mark.parametrize(
    ("fields", "sampling"),
    [
        ({}, Sampling()),
        ({"max_tokens": 5}, Sampling(max_tokens=5)),
        ({"max_tokens": 5, "max_completion_tokens": 7}, Sampling(max_tokens=7)),
        ({"max_tokens": 5, "max_completion_tokens": None}, Sampling(max_tokens=5)),
        ({"temperature": 0}, Sampling(temperature=0.0)),
        ({"temperature": 1}, Sampling(temperature=1.0)),
        ({"temperature": 1.7}, Sampling(temperature=1.0)),
        ({"top_p": 0.5}, Sampling(top_p=0.5)),
        ({"top_p": 0}, Sampling(top_p=0.0)),
        ({"top_p": 1}, Sampling()),
        ({"stop": "END"}, Sampling(stop=("END",))),
        ({"stop": ["", "a", "b "]}, Sampling(stop=("a", "b "))),
        ({"stop": ""}, Sampling()),
        ({"stop": []}, Sampling()),
        ({"stop": ["END", "\n\n", " "]}, Sampling(stop=("END", "\n\n", " "))),
    ],
)
def test_sampling(fields: dict[str, Any], sampling: Sampling) -> None:
    parsed = request(**fields)

    assert parsed.turn.sampling == sampling
    assert parsed.ignored == ()


@pytest.mark.parametrize(("model", "expected"), [("opus", "opus"), (None, None), ("", None)])
def test_model(model: str | None, expected: str | None) -> None:
    assert request(model=model).turn.model == expected


@pytest.mark.parametrize(
    ("fields", "stream", "include_usage"),
    [
        ({}, False, False),
        ({"stream": None, "stream_options": None}, False, False),
        ({"stream": True}, True, False),
        ({"stream": True, "stream_options": {}}, True, False),
        (
            {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": True}},
            True,
            True,
        ),
    ],
)
def test_streaming(fields: dict[str, Any], stream: bool, include_usage: bool) -> None:
    parsed = request(**fields)

    assert (parsed.stream, parsed.include_usage, parsed.ignored) == (stream, include_usage, ())


SILENT = {
    "n": 1,
    "logprobs": False,
    "top_logprobs": 0,
    "modalities": ["text"],
    "tools": [],
    "functions": [],
    "tool_choice": "auto",
    "function_call": "none",
    "parallel_tool_calls": True,
    "response_format": {"type": "text"},
    "reasoning_effort": "",
    "reasoning": {},
    "thinking": {"type": None},
    "frequency_penalty": 0,
    "presence_penalty": 0.0,
    "logit_bias": {},
    "metadata": {},
    "store": False,
    "service_tier": "auto",
    "verbosity": "medium",
    "user": "",
    "seed": None,
    "unheard_of": None,
}


@pytest.mark.parametrize("name", SILENT)
def test_what_asks_for_nothing_is_silent(name: str) -> None:
    assert request(**{name: SILENT[name]}) == request()


def test_ignored_parameters_are_named_in_order() -> None:
    ignored = {
        "verbosity": "low",
        "user": "u",
        "unheard_of": False,
        "store": True,
        "service_tier": "flex",
        "seed": 0,
        "safety_identifier": "s",
        "prompt_cache_retention": "24h",
        "prompt_cache_key": "k",
        "presence_penalty": 0.1,
        "prediction": {"type": "content", "content": "x"},
        "metadata": {"a": "b"},
        "logit_bias": {"50256": -100},
        "frequency_penalty": -1,
    }

    assert request(**SILENT, **{k: v for k, v in ignored.items() if k not in SILENT}).ignored == tuple(
        sorted(ignored.keys() - SILENT.keys())
    )
    assert request(**ignored).ignored == tuple(sorted(ignored))


def test_ignored_names_fit_a_header() -> None:
    names = request(**{"a\r\nb: c": 1, "é,": 1, "\ud83d": 1, "x" * 5000: 1}).ignored

    assert all(name.isascii() and name.isprintable() and "," not in name for name in names)
    assert len(request(**{f"field{i}": 1 for i in range(1000)}).ignored) == MOST_NAMED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "alloy", "format": "wav"}),
        ("logprobs", True),
        ("top_logprobs", 5),
        ("web_search_options", {}),
    ],
)
def test_unsupported_parameters_are_named(name: str, value: Any) -> None:
    error = refused(**{name: value})

    assert isinstance(error, UnsupportedParameter)
    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", name)
    assert name in error.message


# Answers

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


def payloads(raw: bytes) -> list[Any]:
    """The JSON of every event, in a stream of nothing but `data:` lines."""
    *events, rest = raw.decode().split("\n\n")
    assert rest == ""
    assert all(event.startswith("data: ") and len(event.splitlines()) == 1 for event in events)
    return [json.loads(event[6:]) for event in events if event != "data: [DONE]"]


def chunks(*batches: list[Event], include_usage: bool = False) -> list[ChatCompletionChunk]:
    raw = stream(*batches, include_usage=include_usage)
    return [ChatCompletionChunk.model_validate(payload, strict=True) for payload in payloads(raw)]


def deltas(*events: Event) -> list[dict[str, Any]]:
    return [payload["choices"][0]["delta"] for payload in payloads(stream([START, *events]))]


def test_stream_of_text_to_the_byte() -> None:
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


def test_stream_as_the_sdk_reads_it() -> None:
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


def test_batches_do_not_change_the_stream() -> None:
    events: list[Event] = [START, Thinking("t"), Text("x"), Text("y"), *TOOLS, END]

    assert stream(events) == stream(*[[event] for event in events])


def test_nothing_to_send() -> None:
    assert stream([]) == b""
    assert stream([ToolArguments(0, "")]) == b""


def test_the_role_is_sent_once() -> None:
    assert [delta.get("role") for delta in deltas(START, Text("a"))] == ["assistant", None]


def test_usage_only_when_asked_for() -> None:
    assert b'"usage"' not in stream([START, Text("a"), END])


def test_no_null_error_in_any_chunk() -> None:
    assert b'"error"' not in stream([START, Text("a"), *TOOLS, END], include_usage=True)


def test_keep_alive() -> None:
    assert stream([Idle()]) == b": keep-alive\n\n"


@settings(deadline=None)
@given(st.lists(st.text(st.characters(), min_size=1), max_size=5))
def test_any_text_survives(texts: list[str]) -> None:
    raw = stream([START], [Text(text) for text in texts], [END])

    assert raw.decode().splitlines() == raw.decode().split("\n")[:-1]
    contents = [payload["choices"][0]["delta"].get("content", "") for payload in payloads(raw)]
    assert "".join(contents) == "".join(texts)


@pytest.mark.parametrize("text", ["naïve 日本 😀", "a\u2028b\u2029c\x85d", "\r\n\t\0\x1c", '"\\', "\ud83d"])
def test_odd_text_survives(text: str) -> None:
    assert deltas(Text(text), Thinking(text))[1:] == [{"content": text}, {"reasoning_content": text}]


def test_tool_call_deltas() -> None:
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


def test_tool_calls_as_the_sdk_reads_them() -> None:
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
def test_finish_reasons(stop_reason: str, expected: str) -> None:
    done = Done(stop_reason, USAGE)

    assert chunks([START, done])[-1].choices[0].finish_reason == expected
    assert whole([START, Text("a"), done]).choices[0].finish_reason == expected
    assert stop_reason in FINISH_REASONS or expected == "stop"


def test_an_error_in_mid_stream() -> None:
    raw = StreamEncoder("chatcmpl-1", 1).error(Overloaded("busy\u2028now"))

    assert len(raw.decode().splitlines()) == 2
    assert payloads(raw) == [
        {"error": {"message": "busy\u2028now", "type": "server_error", "param": None, "code": "overloaded"}}
    ]


def collected(*batches: list[Event]) -> dict[str, Any]:
    collector = Completion("chatcmpl-1", 1700000000)
    for batch in batches:
        collector.add(batch)
    return collector.body()


def whole(*batches: list[Event]) -> ChatCompletion:
    return ChatCompletion.model_validate(collected(*batches), strict=True)


def test_completion() -> None:
    assert collected([START], [Idle(), Text("a")], [], [Text("b"), END]) == {
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


def test_completion_as_the_sdk_reads_it() -> None:
    got = whole([START, Thinking("h"), Thinking("m"), *TOOLS, Done("tool_use", Usage())])

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
    assert whole([START, Text("Let me see."), *TOOLS, END]).choices[0].message.content == "Let me see."


def test_an_empty_answer_is_an_empty_string() -> None:
    assert whole([START, END]).choices[0].message.content == ""


def test_a_broken_off_answer_is_an_error() -> None:
    with pytest.raises(UpstreamError):
        collected([START, Text("a")])


def test_sse_framing() -> None:
    assert sse.data(b"{}") == b"data: {}\n\n"
    assert sse.comment("hello") == b": hello\n\n"
    assert sse.DONE == b"data: [DONE]\n\n"
