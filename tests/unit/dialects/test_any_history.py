"""Any generated past gives messages that follow the rules of the API, with a stable beginning."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.turn import Message
from tests.support.client_bodies import PNG, tool_call
from tests.unit.dialects.histories import (
    GO_ON,
    Body,
    chat,
    messages,
    output,
    responses,
    result,
    text,
    use,
)

IDS = st.sampled_from(["a", "b", "c", "", None])
TEXTS = st.sampled_from(["", " ", "hi", "ok"])
ARGUMENTS = st.sampled_from(["{}", '{"a": 1}', '{"a": "x', "[1]", "x", "", None, {"b": 2}, 5])
PARTS = st.lists(
    st.sampled_from(
        [
            text("one"), text(" "), {"type": "refusal", "refusal": "no"}, {"type": "video"}, "bare", 5,
            {"type": "thinking", "thinking": "hm"}, {"type": "image", "data": PNG}, use("a"), use("b", {"x": 1}),
            result("a", "r"), {"type": "tool_result"}, {"type": "server_tool_use", "name": "web_search"},
        ]
    ),
    max_size=3,
)  # fmt: skip
CALLS = st.lists(
    st.builds(lambda call_id, given: tool_call(call_id, "f", given), IDS, ARGUMENTS) | st.just({"id": "a"}),
    max_size=3,
)
CHAT_MESSAGES = st.one_of(
    st.builds(lambda content: {"role": "user", "content": content}, TEXTS | PARTS),
    st.builds(
        lambda content, sent: {"role": "assistant", "content": content, "tool_calls": sent},
        TEXTS | PARTS,
        CALLS,
    ),
    st.builds(lambda call_id, content: output(call_id, content), IDS, TEXTS | PARTS),
    st.builds(
        lambda name: {"role": "function", "name": name, "content": "F"}, st.sampled_from(["f", "g", None])
    ),
    st.just({"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}),
    st.just({"role": "critic", "content": "x"}),
    st.builds(lambda content: {"role": "system", "content": content}, TEXTS | PARTS),
)
ITEMS = st.one_of(
    CHAT_MESSAGES,
    st.builds(
        lambda kind, call_id, given: {"type": kind, "call_id": call_id, "name": "f", "arguments": given},
        st.sampled_from(
            ["function_call", "custom_tool_call", "shell_call", "web_search_call", "mcp_call", "unheard"]
        ),
        IDS,
        ARGUMENTS,
    ),
    st.builds(
        lambda kind, call_id, content: {"type": kind, "call_id": call_id, "output": content},
        st.sampled_from(["function_call_output", "shell_call_output", "unheard_of_output"]),
        IDS,
        TEXTS | PARTS,
    ),
    st.sampled_from(
        ["bare", 5, {"content": "x"}, {"type": "reasoning", "summary": []}, {"type": "compaction"}]
    ),
)
ANSWER = {"role": "assistant", "content": "An answer."}


@settings(deadline=None, max_examples=100)
@given(st.lists(CHAT_MESSAGES, max_size=8))
def test_any_past_of_a_chat_follows_the_rules_of_the_api(past: list[Body]) -> None:
    assert chat(*past, ANSWER, GO_ON).blocks[-1][-1] == text("go on")


@settings(deadline=None, max_examples=100)
@given(st.lists(ITEMS, max_size=8))
def test_any_past_of_items_follows_the_rules_of_the_api(past: list[Any]) -> None:
    assert responses(*past, ANSWER, GO_ON).blocks[-1][-1] == text("go on")


@settings(deadline=None, max_examples=100)
@given(st.lists(CHAT_MESSAGES, max_size=8))
def test_any_past_of_messages_follows_the_rules_of_the_api(past: list[Body]) -> None:
    given = [{"content": "", **message} for message in past]
    assert messages(*given, ANSWER, GO_ON).blocks[-1][-1] == text("go on")


@settings(deadline=None, max_examples=100)
@given(st.lists(st.lists(ITEMS, max_size=4), min_size=2, max_size=4))
def test_longer_conversation_begins_with_the_messages_of_the_shorter_one(rounds: list[list[Any]]) -> None:
    """The prompt cache needs this: each request repeats the last one, and adds to it."""
    sent: list[Any] = []
    earlier: tuple[Message, ...] = ()
    for added in rounds:
        sent += [*added, ANSWER, GO_ON]
        longer = responses(*sent).messages
        assert longer[: len(earlier)] == earlier
        earlier = longer
        sent.append(ANSWER)
