"""Tool calls and their results in the history of a chat."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.common.conversation import NUDGE, OPENING
from gateway.dialects.common.openai_messages import NO_MESSAGE
from gateway.turn import Message
from tests.support.client_bodies import PNG_URL, tool_call
from tests.unit.dialects.test_chat_dialect import HELLO, error_of, request


def use(call_id: str, name: str = "f", given: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given or {}}


def result(call_id: str, *texts: str) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id}
    return {**block, "content": [{"type": "text", "text": text} for text in texts]} if texts else block


def asked(*ids: str, **extra: Any) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [tool_call(call_id, "f", "{}") for call_id in ids], **extra}


def answered(call_id: str, content: Any = "ok", **extra: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content, **extra}


def blocks(*messages: dict[str, Any]) -> list[list[dict[str, Any]]]:
    turn = request(HELLO, *messages).turn
    assert [message.role for message in turn.messages] == [
        ("user", "assistant")[index % 2] for index in range(len(turn.messages))
    ]
    return [list(message.content) for message in turn.messages[1:]]


def test_tool_calls_and_results_become_blocks() -> None:
    text = {"type": "text", "text": "Let me see."}

    assert blocks(
        asked("a", "b", content="Let me see."),
        answered("b", "two"),
        {"role": "system", "content": "hoisted"},
        answered("a", "one"),
        {"role": "user", "content": "go on"},
    ) == [
        [text, use("a"), use("b")],
        [result("a", "one"), result("b", "two"), {"type": "text", "text": "go on"}],
    ]


def test_results_come_before_text_in_between() -> None:
    got = blocks(asked("a", "b"), answered("a"), {"role": "user", "content": "wait"}, answered("b"))

    assert [block["type"] for block in got[1]] == ["tool_result", "tool_result", "text"]


def test_calls_of_consecutive_messages_are_merged() -> None:
    got = blocks(asked("a", content="one"), asked("b", content="two"), answered("a"), answered("b"))

    assert [block["type"] for block in got[0]] == ["text", "text", "tool_use", "tool_use"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"a": [1, null]}', {"a": [1, None]}),
        ({"a": 1}, {"a": 1}),
        ("", {}),
        (" \n", {}),
        (None, {}),
        ("null", {}),
        ('{"a": "\\ud83d"}', {"a": "\ufffd"}),
        ({"a": "\ud83d"}, {"a": "\ufffd"}),
    ],
)
def test_arguments_are_parsed(arguments: Any, expected: dict[str, Any]) -> None:
    asking = {"role": "assistant", "tool_calls": [tool_call("a", "f", arguments)]}

    assert blocks(asking, answered("a"))[0] == [use("a", "f", expected)]


@pytest.mark.parametrize(
    "arguments", ["[]", "7", '"{}"', "{", "{'a': 1}", '{"a": NaN}', '{"a": 1} x', [], 7, "[" * 100_000]
)
def test_error_names_the_invalid_arguments(arguments: Any) -> None:
    asking = {"role": "assistant", "tool_calls": [tool_call("a", "f", "{}"), tool_call("b", "f", arguments)]}
    error = error_of(HELLO, asking, answered("a"), answered("b"))

    assert error.param == "messages[1].tool_calls[1].function.arguments"


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"type": "custom"}, "type"),
        ({"function": None}, "function"),
        ({"function": {"arguments": "{}"}}, "function.name"),
        ({"function": {"name": " "}}, "function.name"),
    ],
)
def test_error_names_the_invalid_call(wrong: dict[str, Any], param: str) -> None:
    error = error_of(
        HELLO, {"role": "assistant", "tool_calls": [tool_call("a", "f", "{}") | wrong]}, answered("a")
    )

    assert error.param == f"messages[1].tool_calls[0].{param}"


@pytest.mark.parametrize("content", [None, "", " \n", [], [{"type": "text", "text": ""}]])
def test_result_may_be_empty(content: Any) -> None:
    assert blocks(asked("a"), answered("a", content))[1] == [result("a")]
    assert blocks(asked("a"), answered("a", content, is_error=True))[1] == [
        {**result("a", NO_MESSAGE), "is_error": True}
    ]


def test_result_may_consist_of_parts() -> None:
    image = {"type": "image_url", "image_url": {"url": PNG_URL}}
    (got,) = blocks(asked("a"), answered("a", [{"type": "text", "text": "see"}, image]))[1]

    assert [block["type"] for block in got["content"]] == ["text", "image"]
    assert "is_error" not in got
    error = error_of(HELLO, asked("a"), answered("a", [{"type": "video"}]))
    assert error.param == "messages[2].content[0].type"


def test_failed_result_is_marked_as_error() -> None:
    assert blocks(asked("a"), answered("a", "boom", is_error=True))[1] == [
        {**result("a", "boom"), "is_error": True}
    ]
    assert blocks(asked("a"), answered("a", "fine", is_error=False))[1] == [result("a", "fine")]


def test_ids_and_names_are_not_changed() -> None:
    odd = "functions.get weather:0|é"

    assert blocks({"role": "assistant", "tool_calls": [tool_call(odd, odd, "{}")]}, answered(odd))[0] == [
        use(odd, odd)
    ]


SEQUENCES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "no call at all": ([answered("a")], "messages[1].tool_call_id"),
    "another call": ([asked("a"), answered("a"), answered("b")], "messages[3].tool_call_id"),
    "a call further back": (
        [asked("a"), answered("a"), {"role": "assistant", "content": "hi"}, answered("a")],
        "messages[4].tool_call_id",
    ),
    "no result": ([asked("a"), HELLO], "messages[1]"),
    "no result at the end": ([asked("a")], "messages[1]"),
    "one result missing": ([asked("a", "b"), answered("a"), HELLO], "messages[1]"),
    "the second message's missing": ([asked("a"), asked("b"), answered("a")], "messages[2]"),
    "two results": ([asked("a"), answered("a"), answered("a")], "messages[3].tool_call_id"),
    "two calls": ([asked("a", "a"), answered("a")], "messages[1].tool_calls[1].id"),
    "a call again": ([asked("a"), answered("a"), asked("a"), answered("a")], "messages[3].tool_calls[0].id"),
    "no id": ([asked("a"), {"role": "tool", "content": "x"}], "messages[2].tool_call_id"),
    "an empty id": ([asked("a"), answered("")], "messages[2].tool_call_id"),
    "no function call": ([{"role": "function", "name": "f", "content": "x"}], "messages[1]"),
    "no function result": ([{"role": "assistant", "function_call": {"name": "f"}}], "messages[1]"),
}


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_error_names_the_message_that_breaks_the_order(sequence: str) -> None:
    messages, param = SEQUENCES[sequence]
    error = error_of(HELLO, *messages)

    assert (error.status, error.code, error.param) == (400, "invalid_request", param)
    assert f"'{param}'" in error.message


def test_error_lists_calls_without_results() -> None:
    message = error_of(HELLO, asked("a", "b", "c"), answered("b")).message

    assert "'a', 'c'" in message
    assert "'b'" not in message


@pytest.mark.parametrize("order", list(permutations("abc")))
def test_results_are_put_in_the_order_of_calls(order: tuple[str, ...]) -> None:
    got = blocks(asked("a", "b", "c"), *[answered(call_id) for call_id in order])[1]

    assert [block["tool_use_id"] for block in got] == ["a", "b", "c"]


def test_deprecated_function_calls_get_ids() -> None:
    def asking(arguments: str) -> dict[str, Any]:
        return {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": arguments}}

    def answer(content: str) -> dict[str, Any]:
        return {"role": "function", "name": "f", "content": content}

    assert blocks(asking('{"a": 1}'), answer("one"), asking(""), answer("two")) == [
        [use("call_message_1", "f", {"a": 1})],
        [result("call_message_1", "one")],
        [use("call_message_3")],
        [result("call_message_3", "two")],
    ]
    assert error_of(HELLO, asking("[]"), answer("x")).param == "messages[1].function_call.arguments"


def test_conversation_may_start_with_a_call_and_end_with_an_answer() -> None:
    turn = request(asked("a"), answered("a"), {"role": "assistant", "content": "done"}).turn

    assert turn.messages[0] == Message("user", ({"type": "text", "text": OPENING},))
    assert turn.messages[-1] == Message("user", ({"type": "text", "text": NUDGE},))


STEPS = st.lists(
    st.tuples(st.lists(st.integers(0, 2), max_size=3), st.booleans(), st.booleans()), min_size=1, max_size=4
)


@settings(deadline=None)
@given(STEPS, st.randoms(use_true_random=False))
def test_any_tool_rounds_follow_the_rules_of_the_api(
    steps: list[tuple[list[int], bool, bool]], random: Any
) -> None:
    messages: list[dict[str, Any]] = [HELLO]
    for round_number, (calls, says, goes_on) in enumerate(steps):
        ids = [f"{round_number}-{index}" for index in range(len(calls))]
        messages.append(asked(*ids, content="so" if says else None))
        messages += [answered(call_id) for call_id in random.sample(ids, len(ids))]
        messages += [HELLO] * goes_on

    pending: list[str] = []
    for message in request(*messages).turn.messages:
        kinds = [block["type"] for block in message.content]
        assert kinds
        if message.role == "user":
            answers = [b["tool_use_id"] for b in message.content if b["type"] == "tool_result"]
            assert answers == pending
            assert kinds == sorted(kinds, key=lambda kind: kind != "tool_result")
        pending = [block["id"] for block in message.content if block["type"] == "tool_use"]
    assert not pending
