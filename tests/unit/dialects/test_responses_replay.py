"""The stream of a finished response can be written again from the response."""

from typing import Any

import pytest

from gateway.dialects.responses.replay import encode_event, replay
from gateway.hosted import Citation, HostedArguments, HostedCall, HostedResult, TextEnd
from gateway.turn import Done, Refusal, Retracted, Started, Text, Thinking, ToolArguments, ToolCall
from tests.support import responses_shapes as shapes
from tests.unit.dialects.test_responses_answers import CALLS, STARTED, collect, stream
from tests.unit.dialects.test_responses_dialect import USAGE

CALL = HostedCall({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}})
PAGE = {"type": "web_search_result", "url": "https://x", "title": "X", "encrypted_content": "E"}
FAILED = {"type": "web_search_tool_result_error", "error_code": "unavailable"}
SOURCE = Citation({"type": "web_search_result_location", "url": "https://x", "title": None})


def _found(content: Any) -> HostedResult:
    return HostedResult({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": content})


ANSWERS: list[list[Any]] = [
    [
        *(Text("I search."), TextEnd(), CALL, HostedArguments('{"query": "x"}'), _found([PAGE])),
        *(Text("So, "), TextEnd(), SOURCE, Text("yes."), TextEnd(), Done("end_turn", USAGE)),
    ],
    [CALL, _found(FAILED), Text("No."), TextEnd(), Done("end_turn", USAGE)],
    [Text("Hello"), Done("end_turn", USAGE)],
    CALLS,
    [Text("I can't "), Refusal("help."), Done("refusal", USAGE)],
    [Thinking("Hm."), ToolCall(0, "toolu_a", "now"), ToolArguments(0, "{}"), Done("tool_use", USAGE)],
    [Done("max_tokens", USAGE)],
]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("summary", [True, False])
def test_replay_has_the_events_of_the_stream_with_every_text_in_one_piece(
    answer: list[Any], summary: bool
) -> None:
    whole = collect(STARTED, *answer, summary=summary)
    numbered = [{**event, "sequence_number": index} for index, event in enumerate(replay(whole))]
    again = shapes.check_stream(b"".join(map(encode_event, numbered)))
    assert again[-1]["response"] == whole
    assert _outline(again) == _outline(stream(STARTED, *answer, summary=summary))


def _outline(events: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return the kinds and places of the events; several deltas in a row count as one."""
    fields = (
        "type",
        "item_id",
        "output_index",
        "content_index",
        "summary_index",
        "text",
        "arguments",
        "refusal",
    )
    found = [tuple(event.get(field) for field in fields) for event in events]
    return [one for index, one in enumerate(found) if index == 0 or found[index - 1] != one]


def test_search_without_a_result_is_incomplete() -> None:
    whole = collect(Started("m"), CALL, HostedArguments('{"query": "ca'), Done("max_tokens", USAGE))
    [item] = whole["output"]
    assert (item["status"], item["action"]["query"]) == ("incomplete", "ca")
    assert "encrypted_content" not in item


def test_page_that_was_fetched_is_opened() -> None:
    fetch = HostedCall({**CALL.block, "name": "web_fetch"})
    result = HostedResult({"type": "web_fetch_tool_result", "tool_use_id": "srvtoolu_1", "content": {}})
    whole = collect(
        Started("m"), fetch, HostedArguments('{"url": "https://x"}'), result, Done("end_turn", USAGE)
    )
    assert whole["output"][0]["action"] == {"type": "open_page", "url": "https://x"}


def test_retracted_text_is_not_replayed() -> None:
    whole = collect(Started("m"), Text("draft"), Retracted(), Text("final"), Done("end_turn", USAGE))
    texts = [event.get("text") for event in replay(whole) if event["type"] == "response.output_text.done"]
    assert texts == ["final"]
