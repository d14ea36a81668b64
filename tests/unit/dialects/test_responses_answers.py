"""Events become Responses API streams and response objects."""

import pytest

from gateway.dialects.responses.answers import Collector, StreamEncoder
from gateway.dialects.responses.builder import new_response
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    RateLimited,
    TurnStopped,
    UpstreamError,
)
from gateway.turn import (
    Done,
    Event,
    Idle,
    Refusal,
    Retracted,
    Started,
    Text,
    Thinking,
    ToolArguments,
    ToolCall,
)
from tests.support import responses_shapes as shapes
from tests.unit.dialects.test_responses_dialect import DONE, USAGE, WEATHER, Body, parse

# Answers

STARTED = Started("claude-x")
ECHOED = parse({"input": "hi", "tools": [WEATHER]}).echoed
CALLS: list[Event] = [
    Thinking("First "),
    Thinking("this."),
    Text("I look."),
    ToolCall(0, "toolu_a", "get_weather"),
    ToolArguments(0, '{"city":'),
    ToolArguments(0, '"Rome"}'),
    ToolCall(1, "toolu_b", "now"),
    Done("tool_use", USAGE),
]


def stream(*events: Event, summary: bool = False) -> list[Body]:
    encoder = StreamEncoder(new_response("resp_1", "m", ECHOED), summary, lambda response: None)
    return shapes.check_stream(b"".join(encoder.encode([event]) for event in events))


def collect(*events: Event, summary: bool = False) -> Body:
    answer = Collector(new_response("resp_1", "m", ECHOED), summary, lambda response: None)
    answer.add(events)
    body = answer.body()
    shapes.check_response(body)
    return body


def kinds(events: list[Body]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def test_text_is_stream() -> None:
    events = stream(STARTED, Text("Hel"), Idle(), Text("lo\u2028"), DONE)
    assert kinds(events) == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert events[0]["response"]["status"] == "in_progress"
    assert events[0]["response"]["output"] == []
    assert events[0]["response"]["model"] == "claude-x"
    assert [event["delta"] for event in events if "delta" in event] == ["Hel", "lo\u2028"]
    assert events[-1]["response"]["output"] == [events[-2]["item"]]
    assert events[-2]["item"]["content"][0]["text"] == "Hello\u2028"


def test_thinking_and_calls_are_stream() -> None:
    events = stream(STARTED, *CALLS, summary=True)
    assert kinds(events)[2:] == [
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.delta", "reasoning_summary_text.done", "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
        "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    done = [event for event in events if event["type"] == "response.output_item.done"]
    assert [event["output_index"] for event in done] == [0, 1, 2, 3]
    items = [event["item"] for event in done]
    assert events[-1]["response"]["output"] == items
    assert items[0]["summary"] == [{"type": "summary_text", "text": "First this."}]
    assert [(item["call_id"], item["name"], item["arguments"]) for item in items[2:]] == [
        ("toolu_a", "get_weather", '{"city":"Rome"}'),
        ("toolu_b", "now", "{}"),
    ]
    assert all(item["status"] == "completed" for item in items[1:])
    placed = [event for event in events if "item_id" in event]
    assert all(event["item_id"] == items[event["output_index"]]["id"] for event in placed)


def test_thinking_is_sent_only_on_request() -> None:
    events = stream(STARTED, *CALLS)
    assert not any("reasoning_summary" in kind for kind in kinds(events))
    assert events[-1]["response"]["output"][0]["summary"] == []
    assert "First" not in str(events)


def test_stream_and_whole_answer_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1e9)
    for summary in (True, False):
        last = stream(STARTED, *CALLS, summary=summary)[-1]["response"]
        assert collect(STARTED, *CALLS, summary=summary) == last


def test_usage_includes_cached_tokens() -> None:
    assert collect(STARTED, DONE)["usage"] == {
        "input_tokens": 33,
        "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 3},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 40,
        "cost": 0.5,
    }


@pytest.mark.parametrize(
    ("stop_reason", "status", "reason"),
    [
        ("end_turn", "completed", None),
        ("stop_sequence", "completed", None),
        ("something_new", "completed", None),
        ("max_tokens", "incomplete", "max_output_tokens"),
        ("model_context_window_exceeded", "incomplete", "max_output_tokens"),
        ("refusal", "incomplete", "content_filter"),
    ],
)
def test_stop_reason_sets_the_status(stop_reason: str, status: str, reason: str | None) -> None:
    last = stream(STARTED, Text("a"), Done(stop_reason, USAGE))[-1]
    assert last["type"] == f"response.{status}"
    assert last["response"]["status"] == last["response"]["output"][0]["status"] == status
    assert (last["response"]["incomplete_details"] or {}).get("reason") == reason


def test_refusal_is_a_part_of_the_message() -> None:
    events = stream(STARTED, Refusal("I won't."), DONE)
    assert kinds(events)[3:7] == ["content_part.added", "refusal.delta", "refusal.done", "content_part.done"]
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "I won't."}]


def test_retracted_text_is_dropped_or_ends_the_stream() -> None:
    body = collect(STARTED, Text("{bad"), Retracted(), Text("{}"), DONE)
    assert [item["content"][0]["text"] for item in body["output"]] == ["{}"]
    encoder = StreamEncoder(new_response("resp_1", "m", ECHOED), False, lambda response: None)
    with pytest.raises(UpstreamError) as caught:
        encoder.encode([STARTED, Text("{bad"), Retracted()])
    assert caught.value.code == "invalid_structured_output"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UpstreamError("Broken."), "failed", "server_error"),
        (RateLimited("Wait."), "failed", "rate_limit_exceeded"),
        (InvalidRequest("No.", param="model"), "failed", "invalid_prompt"),
        (TurnStopped(), "cancelled", None),
    ],
)
def test_failed_stream_ends_with_the_error(error: GatewayError, status: str, code: str | None) -> None:
    ended: list[Body] = []
    encoder = StreamEncoder(new_response("resp_1", "m", ECHOED), False, ended.append)
    events = shapes.check_stream(encoder.encode([STARTED, Text("so ")]) + encoder.error(error))
    assert kinds(events)[-2:] == ["error", "failed"]
    assert events[-2]["error"]["message"] == events[-2]["message"] == error.message
    response = events[-1]["response"]
    assert (response["status"], (response["error"] or {}).get("code")) == (status, code)
    assert response["output"][0]["content"][0]["text"] == "so "
    assert ended == [response]


def test_incomplete_answer_is_an_error() -> None:
    with pytest.raises(UpstreamError):
        collect(STARTED, Text("a"))


def test_on_end_is_called_before_the_last_event_is_sent() -> None:
    ended: list[Body] = []
    encoder = StreamEncoder(new_response("resp_1", "m", ECHOED), False, ended.append)
    encoder.encode([STARTED, Text("a")])
    assert not ended
    encoder.encode([DONE])
    assert ended[0]["status"] == "completed"
