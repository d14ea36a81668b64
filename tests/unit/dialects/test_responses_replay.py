"""The stream of a finished response can be written again from the response."""

from typing import Any

import pytest

from gateway.dialects.responses.replay import encode_event, replay
from gateway.turn import Done, Refusal, Retracted, Started, Text, Thinking, ToolArguments, ToolCall
from tests.support import responses_shapes as shapes
from tests.unit.dialects.test_responses_answers import CALLS, STARTED, collect, stream
from tests.unit.dialects.test_responses_dialect import USAGE

ANSWERS: list[list[Any]] = [
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


def test_retracted_text_is_not_replayed() -> None:
    whole = collect(Started("m"), Text("draft"), Retracted(), Text("final"), Done("end_turn", USAGE))
    texts = [event.get("text") for event in replay(whole) if event["type"] == "response.output_text.done"]
    assert texts == ["final"]
