"""System messages between turns stay where they are, in every dialect."""

import pytest

from gateway.claude.fleet.digests import digest_turn
from gateway.turn import Block, Turn
from tests.support.system_notes import DIALECTS, NOTED, note_text
from tests.unit.dialects.test_same_turn import chat_turn, messages_turn, responses_turn

READERS = {"chat": chat_turn, "Responses": responses_turn, "Messages": messages_turn}


def read(dialect: str, rounds: int) -> Turn:
    """Return the turn of a conversation with this many tool rounds."""
    return READERS[dialect]({**DIALECTS[dialect].body(rounds), "max_tokens": 100})


def text(text: str) -> Block:
    return {"type": "text", "text": text}


def note(index: int) -> Block:
    return text(f"<system-reminder>\n{note_text(index)}\n</system-reminder>")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_note_stands_where_the_client_put_it(dialect: str) -> None:
    turn = read(dialect, 2)
    assert turn.system == ("Be brief.",)
    question, _, first, _, second = (list(message.content) for message in turn.messages)
    assert question == [text("Go on."), text(NOTED)]
    for index, results in enumerate((first, second)):
        (result,) = results
        assert result["content"] == [text(f"RESULT {index}"), note(index)]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_later_notes_leave_the_digests_of_the_earlier_conversation_alone(dialect: str) -> None:
    digests = digest_turn(read(dialect, 3))
    for rounds in range(3):
        earlier = digest_turn(read(dialect, rounds))
        assert digests[: len(earlier)] == earlier


def test_note_beside_a_text_of_the_user_is_a_block_of_its_own() -> None:
    body = DIALECTS["chat"].body(1)
    body["messages"].append({"role": "user", "content": "Hurry."})
    last = chat_turn(body).messages[-1].content
    assert [block["type"] for block in last] == ["tool_result", "text", "text"]
    assert list(last[1:]) == [note(0), text("Hurry.")]


def test_note_between_two_answers_separates_them() -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "one"},
        {"role": "developer", "content": note_text(0)},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "Bye"},
    ]
    turn = chat_turn({"messages": messages})
    assert [(message.role, list(message.content)) for message in turn.messages] == [
        ("user", [text("Hi")]),
        ("assistant", [text("one")]),
        ("user", [note(0)]),
        ("assistant", [text("two")]),
        ("user", [text("Bye")]),
    ]
