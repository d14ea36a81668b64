"""A request is merged into a stored conversation."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.chat.replay import continue_conversation
from gateway.dialects.common.json_types import Body
from tests.support.recorded import assistant, system, user
from tests.support.tool_bodies import assistant_calls, tool_call, tool_result

A, B = user("a"), assistant("to a")
C, D = user("c"), assistant("to c")
NEW = user("new")
STORED = [A, B, C, D]
CALL = assistant_calls(tool_call("f", {"x": 1, "y": 2}, "id1"))
REFUSED = {"role": "assistant", "content": None, "refusal": "No."}


def test_new_messages_follow_the_stored_ones() -> None:
    found = continue_conversation(STORED, [NEW])
    assert (found.history, found.conversation, found.unchanged) == (STORED, [*STORED, NEW], 4)


@pytest.mark.parametrize("sent", [[NEW], [A], [A, B, C, D, NEW], [system("s"), NEW]])
def test_first_request_starts_a_conversation(sent: list[Body]) -> None:
    found = continue_conversation([], sent)
    assert (found.history, found.conversation, found.unchanged) == ([], sent, 0)


def test_replay_adds_only_the_new_message() -> None:
    found = continue_conversation(STORED, [*STORED, NEW])
    assert (found.history, found.conversation, found.unchanged) == ([], [*STORED, NEW], 4)


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        ([A, B, NEW], 2),  # edited history
        ([A, B, C], 3),  # an answer to be written again
        ([A, assistant("another"), NEW], 1),
    ],
)
def test_edited_replay_replaces_the_conversation(sent: list[Body], known: int) -> None:
    found = continue_conversation(STORED, sent)
    assert (found.history, found.conversation, found.unchanged) == ([], sent, known)


@pytest.mark.parametrize("sent", [[D, NEW], [C, D, NEW]])
def test_repeated_last_messages_are_not_stored_twice(sent: list[Body]) -> None:
    found = continue_conversation(STORED, sent)
    assert found.history == STORED[: 5 - len(sent)]
    assert (found.conversation, found.unchanged) == ([*STORED, NEW], 4)


@pytest.mark.parametrize("sent", [[A], [C], [user("c"), NEW]])
def test_repeated_question_is_a_new_message(sent: list[Body]) -> None:
    assert continue_conversation(STORED, sent).conversation == [*STORED, *sent]


def test_results_follow_stored_or_repeated_calls() -> None:
    stored, answer = [A, CALL], tool_result("id1", "r")
    assert continue_conversation(stored, [answer]).conversation == [A, CALL, answer]
    assert continue_conversation(stored, [CALL, answer]).conversation == [A, CALL, answer]
    assert continue_conversation(stored, [A, CALL, answer]).conversation == [A, CALL, answer]


def test_system_messages_replace_the_stored_ones() -> None:
    stored = [system("old"), A, B]
    assert continue_conversation(stored, [NEW]).history == stored
    found = continue_conversation(stored, [system("new"), NEW])
    assert found.history == [A, B]
    assert (found.conversation, found.unchanged) == ([system("new"), A, B, NEW], 0)
    same = continue_conversation(stored, [{"role": "developer", "content": "old"}, NEW])
    assert (same.history, same.unchanged) == ([A, B], 3)


def test_system_messages_between_turns_stay_where_they_are() -> None:
    stored = [system("old"), A, B, system("note"), C, D]

    found = continue_conversation(stored, [system("new"), NEW, system("later note")])
    assert found.conversation == [system("new"), A, B, system("note"), C, D, NEW, system("later note")]
    assert found.history == [A, B, system("note"), C, D]

    replayed = continue_conversation(stored, [*stored, NEW])
    assert (replayed.conversation, replayed.unchanged) == ([*stored, NEW], len(stored))


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        (A, user([{"type": "text", "text": "a"}])),
        (A, user([{"type": "text", "text": "a"}, {"type": "text", "text": " "}])),
        (B, assistant(" to a\n")),
        (B, {**B, "tool_calls": [], "refusal": None, "reasoning_content": "hm", "annotations": []}),
        (CALL, assistant_calls(tool_call("f", '{"y": 2,  "x": 1}', "id1"), content="")),
        (REFUSED, assistant("No.")),
    ],
)
def test_harmless_rewriting_leaves_a_message_equal(stored: Body, sent: Body) -> None:
    after = assistant("end")
    assert continue_conversation([stored, after], [sent, after]).unchanged == 2


@pytest.mark.parametrize(
    "sent",
    [
        user("b"),
        assistant("a"),
        user([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": "x"}]),
        assistant_calls(tool_call("f", {"x": 1}, "id1"), content="a"),
        tool_result("id1", "a"),
    ],
)
def test_changed_message_is_different(sent: Body) -> None:
    assert continue_conversation([A], [sent, B]).unchanged == 1
    assert continue_conversation([A], [sent, B]).conversation == [A, sent, B]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "type"]), inner),
    max_leaves=5,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool"])},
        optional={
            "content": JSON,
            "tool_calls": st.lists(st.fixed_dictionaries({"id": JSON, "function": JSON}), max_size=2),
        },
    ),
    max_size=5,
)


@given(MESSAGES, MESSAGES)
def test_no_sent_message_is_lost(stored: list[Any], sent: list[Any]) -> None:
    found = continue_conversation(stored, sent)
    assert all(any(message is other for other in found.conversation) for message in sent)
    assert all(any(message is old for old in stored) for message in found.history)
    assert found.unchanged <= min(len(stored), len(found.conversation))
    assert sorted(map(id, found.conversation)) == sorted(map(id, [*found.history, *sent]))
