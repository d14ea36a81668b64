"""A conversation is compacted into the user's messages and a summary, which later requests give to the model."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.common.compaction import read_summary, write_summary
from gateway.dialects.responses.compaction import (
    MAX_KEPT_BYTES,
    PROMPT,
    CompactionCollector,
    parse_compaction,
)
from gateway.errors import UpstreamError
from gateway.schemas.responses import ResponsesSchema
from gateway.turn import Done, Started, Text, Thinking, ToolChoice, Usage
from tests.support import open_responses
from tests.unit.dialects.test_responses_dialect import WEATHER, parse

HELLO: dict[str, Any] = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "Hello"}],
}
CALL = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": '{"city": "Rome"}'}
ITEMS: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be kind."},
    HELLO,
    CALL,
    {"type": "function_call_output", "call_id": "c", "output": "Sun"},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Sunny."}]},
    {"role": "user", "content": "And now?"},
]


def compacted(*items: dict[str, Any]) -> dict[str, Any]:
    collector = CompactionCollector(items)
    collector.add(
        [
            Started("m"),
            Thinking("Hm."),
            Text("The user asked "),
            Text("for weather."),
            Done("end_turn", Usage(5, 6)),
        ]
    )
    return collector.body()


def test_request_asks_for_a_summary_of_everything_and_for_no_tool() -> None:
    body = ResponsesSchema().load({"input": ITEMS[2:], "tools": [WEATHER], "tool_choice": "required"})
    parsed = parse_compaction(body, ITEMS[2:], ITEMS[:2])
    assert parsed.turn.messages[-1].content[-1] == {"type": "text", "text": PROMPT}
    assert parsed.turn.messages[0].content[-1]["text"] == "Hello"
    assert parsed.turn.tool_choice == ToolChoice("none")
    assert [tool.name for tool in parsed.turn.tools] == ["get_weather"]


def test_output_has_the_messages_of_the_user_and_the_summary() -> None:
    body = compacted(*ITEMS)
    hello, now, summary = body["output"]
    assert hello["content"] == HELLO["content"]
    assert now["content"] == [{"type": "input_text", "text": "And now?"}]
    assert (summary["type"], read_summary(summary["encrypted_content"])) == (
        "compaction",
        "The user asked for weather.",
    )
    assert (body["object"], body["usage"]["total_tokens"]) == ("response.compaction", 11)
    open_responses.check(body, "CompactResource")


def test_output_is_input_again() -> None:
    output = compacted(*ITEMS)["output"]
    (message,) = parse({"input": [*output, {"role": "user", "content": "Go on."}]}).turn.messages
    texts = [block["text"] for block in message.content]
    assert texts == [
        "Hello",
        "And now?",
        "Summary of the conversation so far:\n\nThe user asked for weather.",
        "Go on.",
    ]
    assert parse({"input": output}).turn.messages[0].content[-1]["text"].endswith("for weather.")


def test_only_the_newest_messages_are_kept() -> None:
    long = [{"role": "user", "content": f"{number}" * (MAX_KEPT_BYTES // 3)} for number in range(4)]
    *kept, _ = compacted(*long)["output"]
    assert [item["content"][0]["text"][0] for item in kept] == ["2", "3"]


@pytest.mark.parametrize("item", [None, 1, "x", [], [{"role": "user"}]])
def test_items_that_are_no_objects_are_not_kept(item: Any) -> None:
    assert len(compacted(item, HELLO)["output"]) == 2


def test_answer_without_a_summary_is_an_error() -> None:
    collector = CompactionCollector([HELLO])
    collector.add([Started("m"), Text(" \n"), Done("end_turn", Usage())])
    with pytest.raises(UpstreamError):
        collector.body()


@given(st.text())
def test_summary_survives_the_way_through_the_client(text: str) -> None:
    assert read_summary(write_summary(text)) == text


@pytest.mark.parametrize("content", [None, "", "gAAAAA", "gateway-summary-1:?", "gateway-summary-1:/w==", 5])
def test_summary_of_another_server_is_not_read(content: Any) -> None:
    assert read_summary(content) is None
    item = {"type": "compaction", "id": "cmp_1", "encrypted_content": content}
    parsed = parse({"input": [HELLO, item, {"role": "user", "content": "Go on."}]})
    assert [block["text"] for block in parsed.turn.messages[0].content] == ["Hello", "Go on."]
