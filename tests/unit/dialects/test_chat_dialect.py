"""Chat completion requests become turns. test_chat_answers.py tests the way back."""

import json
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.chat.request import ChatRequest, parse_request
from gateway.dialects.common.conversation import NUDGE, OPENING
from gateway.dialects.common.parameters import MAX_NAMES
from gateway.errors import InvalidRequest, UnsupportedParameter
from gateway.schemas.chat import ChatCompletionSchema
from gateway.turn import (
    Message,
    Sampling,
)

SCHEMA = ChatCompletionSchema()
HELLO = {"role": "user", "content": "hello"}


def request(*messages: dict[str, Any], **fields: Any) -> ChatRequest:
    body = {"messages": list(messages) or [HELLO], **fields}
    return parse_request(SCHEMA.load(body))


def error_of(*messages: dict[str, Any], **fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        request(*messages, **fields)
    return caught.value


def roles_and_texts(messages: tuple[Message, ...]) -> list[tuple[str, list[str]]]:
    return [(message.role, [block["text"] for block in message.content]) for message in messages]


def parts(*texts: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text} for text in texts]


def payloads(raw: bytes) -> list[Any]:
    """Return the JSON of every event; the stream may hold only `data:` lines."""
    *events, rest = raw.decode().split("\n\n")
    assert rest == ""
    assert all(event.startswith("data: ") and len(event.splitlines()) == 1 for event in events)
    return [json.loads(event[6:]) for event in events if event != "data: [DONE]"]


# The conversation


def test_question_becomes_one_user_message() -> None:
    assert roles_and_texts(request(HELLO).turn.messages) == [("user", ["hello"])]


def test_only_system_messages_before_the_first_turn_are_the_system_prompt() -> None:
    turn = request(
        {"role": "developer", "content": "one\n"},
        {"role": "user", "content": " "},
        {"role": "system", "content": parts("two, ", "and more")},
        HELLO,
        {"role": "system", "content": " "},
        {"role": "system"},
        {"role": "developer", "content": parts("thr", "ee")},
        {"role": "user", "content": "again"},
        system_prompt="zero",
    ).turn

    assert turn.system == ("zero", "one\n", "two, and more")
    three = "<system-reminder>\nthree\n</system-reminder>"
    assert roles_and_texts(turn.messages) == [("user", ["hello", three, "again"])]


@pytest.mark.parametrize("content", [None, "", " ", "\n\t", [], parts(""), parts(" ", "\n")])
@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_blank_messages_are_dropped(role: str, content: Any) -> None:
    turn = request(HELLO, {"role": role, "content": content}, {"role": "user", "content": "again"}).turn

    assert turn.system == ()
    assert roles_and_texts(turn.messages) == [("user", ["hello", "again"])]


def test_text_is_kept_as_sent() -> None:
    turn = request(
        {"role": "user", "content": parts(" a ", "", "\r\nb\n")},
        {"role": "assistant", "content": "trailing \n"},
        {"role": "user", "content": "\u2028é\0"},
    ).turn

    assert roles_and_texts(turn.messages) == [
        ("user", [" a ", "\r\nb\n"]),
        ("assistant", ["trailing \n"]),
        ("user", ["\u2028é\0"]),
    ]


def test_half_an_emoji_is_replaced() -> None:
    turn = request({"role": "user", "content": "cut \ud83d"}, system_prompt="\ude00 whole 😀").turn

    assert roles_and_texts(turn.messages) == [("user", ["cut \ufffd"])]
    assert turn.system == ("\ufffd whole 😀",)


def test_replayed_refusal_is_assistant_text() -> None:
    turn = request(
        HELLO,
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "assistant", "content": None, "refusal": "Never."},
        {"role": "user", "content": "why?"},
    ).turn

    assert roles_and_texts(turn.messages)[1] == ("assistant", ["No.", "Never."])


def test_extra_fields_of_replayed_answers_are_ignored() -> None:
    extras: dict[str, Any] = {"name": "", "tool_calls": [], "function_call": None, "audio": None}
    answer = {"role": "assistant", "content": "hi", "reasoning_content": "hm", "annotations": [], **extras}
    part = {
        "type": "text",
        "text": "on",
        "cache_control": {"type": "ephemeral"},
        "prompt_cache_breakpoint": {},
    }

    parsed = request(HELLO, answer, {"role": "user", "content": [part]})

    assert roles_and_texts(parsed.turn.messages) == [
        ("user", ["hello"]),
        ("assistant", ["hi"]),
        ("user", ["on"]),
    ]
    assert parsed.turn.messages[2].content == ({"type": "text", "text": "on"},)
    assert parsed.ignored == ("messages[1].reasoning_content",)


def test_assistant_may_speak_first_and_last() -> None:
    turn = request({"role": "assistant", "content": "Once upon"}).turn

    assert roles_and_texts(turn.messages) == [
        ("user", [OPENING]),
        ("assistant", ["Once upon"]),
        ("user", [NUDGE]),
    ]


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": " "}],
        [{"role": "system", "content": " "}],
        [{"role": "system", "content": "be kind"}, {"role": "user", "content": ""}],
        [{"role": "user"}, {"role": "assistant", "content": ""}],
    ],
)
def test_conversation_without_user_content_is_an_error(messages: list[dict[str, Any]]) -> None:
    error = error_of(*messages)

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
def test_any_conversation_alternates_from_user_to_user(messages: list[dict[str, Any]]) -> None:
    spoken = [(message["role"], text) for message in messages for text in texts_of(message)]
    if not spoken:
        assert error_of(*messages).code == "missing_user_message"
        return

    turn = request(*messages).turn

    expected = [("user", OPENING)] * (spoken[0][0] == "assistant") + spoken
    expected += [("user", NUDGE)] * (spoken[-1][0] == "assistant")
    assert [(role, text) for role, texts in roles_and_texts(turn.messages) for text in texts] == expected
    roles = [message.role for message in turn.messages]
    assert roles == [role for role, _ in groupby(roles)]
    assert roles[0] == roles[-1] == "user"


def test_spoken_answers_are_read_in_their_transcript() -> None:
    spoken = {"role": "assistant", "audio": {"id": "x", "transcript": "Hi there."}}

    assert roles_and_texts(request(HELLO, spoken, HELLO).turn.messages)[1] == ("assistant", ["Hi there."])


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        ("user", "input_audio"),
        *[("system", kind) for kind in ("image_url", "file", "input_audio")],
    ],
)
def test_unsupported_parts_are_named(role: str, kind: str) -> None:
    error = error_of(HELLO, {"role": role, "content": [*parts("see"), {"type": kind, kind: {}}]})

    assert isinstance(error, UnsupportedParameter)
    assert error.param == f"messages[1].content[1].{kind}"


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "robot", "content": "hello"}, "role"),
        ({"role": ["user"], "content": "hello"}, "role"),
        ({"role": "user", "content": 5}, "content"),
        ({"role": "user", "content": {"type": "text"}}, "content"),
        ({"role": "user", "content": [{"type": "text", "text": "a"}, "hello"]}, "content[1]"),
    ],
)
def test_error_names_the_invalid_message(message: dict[str, Any], param: str) -> None:
    error = error_of(HELLO, message)

    assert (error.code, error.param) == ("invalid_request", f"messages[1].{param}")


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
def test_error_names_the_invalid_part(part: dict[str, Any], param: str) -> None:
    error = error_of(HELLO, {"role": "user", "content": [*parts("ok"), part]})

    assert not isinstance(error, UnsupportedParameter)
    assert error.param == f"messages[1].content[1].{param}"
    assert error.param in error.message


# Parameters


@pytest.mark.parametrize(
    ("fields", "sampling"),
    [
        ({}, Sampling()),
        ({"max_tokens": 5}, Sampling(max_tokens=5)),
        ({"max_completion_tokens": 7}, Sampling(max_tokens=7)),
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
def test_sampling_parameters_are_translated(fields: dict[str, Any], sampling: Sampling) -> None:
    parsed = request(**fields)

    assert parsed.turn.sampling == sampling
    assert parsed.ignored == ()


@pytest.mark.parametrize(("model", "expected"), [("opus", "opus"), (None, None), ("", None)])
def test_model_name_is_passed_on(model: str | None, expected: str | None) -> None:
    assert request(model=model).turn.requested_model == expected


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
def test_stream_options_are_read(fields: dict[str, Any], stream: bool, include_usage: bool) -> None:
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
def test_default_values_are_not_named_as_ignored(name: str) -> None:
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
        "prompt_cache_retention": "a week",
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


def test_names_of_ignored_parameters_fit_a_header() -> None:
    names = request(**{"a\r\nb: c": 1, "é,": 1, "\ud83d": 1, "x" * 5000: 1}).ignored

    assert all(name.isascii() and name.isprintable() and "," not in name for name in names)
    assert len(request(**{f"field{i}": 1 for i in range(1000)}).ignored) == MAX_NAMES


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "alloy", "format": "wav"}),
        ("logprobs", True),
        ("top_logprobs", 5),
    ],
)
def test_unsupported_parameters_are_named(name: str, value: Any) -> None:
    error = error_of(**{name: value})

    assert isinstance(error, UnsupportedParameter)
    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", name)
    assert name in error.message
