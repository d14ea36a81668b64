"""Tool calls and their results in the history of a chat."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.common.conversation import NUDGE, OPENING
from gateway.dialects.common.openai_messages import NO_MESSAGE
from gateway.turn import Message
from tests.support.client_bodies import PNG_URL, tool_call
from tests.unit.dialects.test_chat_dialect import HELLO, request


def use_block(call_id: str, name: str = "f", given: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given or {}}


def result_block(call_id: str, *texts: str) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id}
    return {**block, "content": [{"type": "text", "text": text} for text in texts]} if texts else block


def assistant_calls(*ids: str, **extra: Any) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [tool_call(call_id, "f", "{}") for call_id in ids], **extra}


def tool_message(call_id: str, content: Any = "ok", **extra: Any) -> dict[str, Any]:
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
        assistant_calls("a", "b", content="Let me see."),
        tool_message("b", "two"),
        tool_message("a", "one"),
        {"role": "user", "content": "go on"},
    ) == [
        [text, use_block("a"), use_block("b")],
        [result_block("a", "one"), result_block("b", "two"), {"type": "text", "text": "go on"}],
    ]


def test_results_come_before_text_in_between() -> None:
    got = blocks(
        assistant_calls("a", "b"), tool_message("a"), {"role": "user", "content": "wait"}, tool_message("b")
    )

    assert [block["type"] for block in got[1]] == ["tool_result", "tool_result", "text"]


def test_calls_of_consecutive_messages_are_merged() -> None:
    got = blocks(
        assistant_calls("a", content="one"),
        assistant_calls("b", content="two"),
        tool_message("a"),
        tool_message("b"),
    )

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
    message = {"role": "assistant", "tool_calls": [tool_call("a", "f", arguments)]}

    assert blocks(message, tool_message("a"))[0] == [use_block("a", "f", expected)]


@pytest.mark.parametrize("content", [None, "", " \n", [], [{"type": "text", "text": ""}]])
def test_result_may_be_empty(content: Any) -> None:
    assert blocks(assistant_calls("a"), tool_message("a", content))[1] == [result_block("a")]
    assert blocks(assistant_calls("a"), tool_message("a", content, is_error=True))[1] == [
        {**result_block("a", NO_MESSAGE), "is_error": True}
    ]


def test_result_may_consist_of_parts() -> None:
    image = {"type": "image_url", "image_url": {"url": PNG_URL}}
    (got,) = blocks(assistant_calls("a"), tool_message("a", [{"type": "text", "text": "see"}, image]))[1]

    assert [block["type"] for block in got["content"]] == ["text", "image"]
    assert "is_error" not in got


def test_failed_result_is_marked_as_error() -> None:
    assert blocks(assistant_calls("a"), tool_message("a", "boom", is_error=True))[1] == [
        {**result_block("a", "boom"), "is_error": True}
    ]
    assert blocks(assistant_calls("a"), tool_message("a", "fine", is_error=False))[1] == [
        result_block("a", "fine")
    ]


def test_ids_and_names_are_not_changed() -> None:
    odd = "functions.get weather:0|é"

    assert blocks({"role": "assistant", "tool_calls": [tool_call(odd, odd, "{}")]}, tool_message(odd))[0] == [
        use_block(odd, odd)
    ]


@pytest.mark.parametrize("order", list(permutations("abc")))
def test_results_are_put_in_the_order_of_calls(order: tuple[str, ...]) -> None:
    got = blocks(assistant_calls("a", "b", "c"), *[tool_message(call_id) for call_id in order])[1]

    assert [block["tool_use_id"] for block in got] == ["a", "b", "c"]


def test_deprecated_function_calls_get_ids() -> None:
    def function_call_message(arguments: str) -> dict[str, Any]:
        return {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": arguments}}

    def function_message(content: str) -> dict[str, Any]:
        return {"role": "function", "name": "f", "content": content}

    assert blocks(
        function_call_message('{"a": 1}'),
        function_message("one"),
        function_call_message(""),
        function_message("two"),
    ) == [
        [use_block("call_message_1", "f", {"a": 1})],
        [result_block("call_message_1", "one")],
        [use_block("call_message_3")],
        [result_block("call_message_3", "two")],
    ]


def test_conversation_may_start_with_a_call_and_end_with_an_answer() -> None:
    turn = request(assistant_calls("a"), tool_message("a"), {"role": "assistant", "content": "done"}).turn

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
    for round_number, (calls, has_text, goes_on) in enumerate(steps):
        ids = [f"{round_number}-{index}" for index in range(len(calls))]
        messages.append(assistant_calls(*ids, content="so" if has_text else None))
        messages += [tool_message(call_id) for call_id in random.sample(ids, len(ids))]
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
