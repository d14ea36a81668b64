"""The reader of an ordinary answer: events, usage, and the points at which the CLI must not continue."""

from typing import cast

import pytest

from gateway.claude.cli.answer_reader import AnswerReader, UsageLedger
from gateway.claude.cli.protocol import ApiEvent, CliMessage
from gateway.errors import AccountLimitReached, GatewayError, Overloaded, UpstreamError
from gateway.turn import Done, Started, Text, Thinking, ToolArguments, ToolCall, Usage
from tests.unit.claude.cli_messages import (
    START,
    arguments,
    init,
    make_context,
    result,
    start_call,
    stop,
    stream,
    text,
    thinking,
)


def test_complete_answer_becomes_events_with_the_usage_of_the_result() -> None:
    reader = AnswerReader(make_context())
    events = reader.read(
        [init(), *stream(START, thinking("Hm."), text("Hel"), text("lo"), stop("end_turn")), result()]
    )
    assert events == [
        Started("m", (), Usage(input_tokens=10), "s-1"),
        Thinking("Hm."),
        Text("Hel"),
        Text("lo"),
        Done("end_turn", Usage(input_tokens=10, output_tokens=5, cost_usd=1.0)),
    ]
    assert (reader.is_done, reader.is_cut, reader.failure) == (True, False, None)
    assert reader.to_message().content == ({"type": "text", "text": "Hello"},)


def test_messages_of_subagents_and_of_unknown_types_are_skipped() -> None:
    reader = AnswerReader(make_context())
    subagent: CliMessage = {"type": "stream_event", "event": text("inner"), "parent_tool_use_id": "toolu_1"}
    unknown = cast(CliMessage, {"type": "news"})
    ping = cast(ApiEvent, {"type": "ping"})
    events = reader.read([*stream(START), subagent, unknown, *stream(ping, text("outer"))])
    assert [event.text for event in events if isinstance(event, Text)] == ["outer"]


@pytest.mark.parametrize(("edits", "is_told"), [([{"type": "clear_tool_uses_20250919"}], True), ([], False)])
def test_edits_of_the_prompt_are_told_if_there_were_any(edits: list[dict[str, str]], is_told: bool) -> None:
    """The CLI asks for an edit of its own, which a client has not asked for."""
    ending = cast(ApiEvent, {**stop("end_turn"), "context_management": {"applied_edits": edits}})
    events = AnswerReader(make_context()).read([*stream(START, text("Hi"), ending), result()])
    assert isinstance(events[-1], Done)
    assert events[-1].context_management == ({"applied_edits": edits} if is_told else None)


def test_calls_of_client_tools_end_the_answer_without_a_cut() -> None:
    reader = AnswerReader(make_context("now"))
    calls = [start_call(0, "now"), arguments(0, '{"zone":'), arguments(0, '"UTC"}')]
    events = reader.read(stream(START, *calls, stop("tool_use")))
    assert events[1:4] == [
        ToolCall(0, "toolu_0", "now"),
        ToolArguments(0, '{"zone":'),
        ToolArguments(0, '"UTC"}'),
    ]
    assert isinstance(events[-1], Done)
    assert (events[-1].stop_reason, reader.is_cut) == ("tool_use", False)
    assert reader.to_message().content == (
        {"type": "tool_use", "id": "toolu_0", "name": "now", "input": {"zone": "UTC"}},
    )


@pytest.mark.parametrize("reason", ["max_tokens", "refusal", "model_context_window_exceeded"])
def test_json_of_a_call_that_is_cut_off_is_completed(reason: str) -> None:
    reader = AnswerReader(make_context("write"))
    calls = [start_call(0, "write"), arguments(0, '{"path":"a.py","conte')]
    events = reader.read(stream(START, *calls, stop(reason)))
    assert events[2:-1] == [ToolArguments(0, '{"path":"a.py","conte'), ToolArguments(0, '":null}')]
    assert reader.is_cut


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ([text("Long")], "max_tokens"),
        ([text("No.")], "refusal"),
        ([], "end_turn"),
        ([start_call(0, "invented")], "tool_use"),
    ],
)
def test_answer_is_cut_where_the_cli_would_continue(said: list[ApiEvent], reason: str) -> None:
    reader = AnswerReader(make_context("now"))
    events = reader.read(stream(START, *said, stop(reason)))
    assert events[-1] == Done(reason, Usage(input_tokens=10, output_tokens=5, cost_usd=5.0))
    assert reader.is_cut


def test_unfinished_answer_has_an_estimated_usage() -> None:
    reader = AnswerReader(make_context())
    assert reader.usage_so_far() == (Usage(), False)
    reader.read(stream(START, thinking("abcd"), text("abcde")))
    usage, is_estimate = reader.usage_so_far()
    assert (usage.input_tokens, usage.output_tokens, usage.cost_usd, is_estimate) == (10, 3, 3.0, True)


def test_result_is_reduced_by_what_earlier_answers_have_reported() -> None:
    ledger = UsageLedger()
    first = AnswerReader(make_context("now", ledger=ledger))
    first.read(stream(START, start_call(0, "now"), stop("tool_use", tokens=5)))
    second = AnswerReader(make_context(ledger=ledger))
    events = second.read([*stream(START, text("Noon."), stop("end_turn")), result(cost=7.0, tokens=9)])
    assert events[-1] == Done("end_turn", Usage(input_tokens=0, output_tokens=4, cost_usd=2.0))
    assert (ledger.paid_usd, ledger.reported) == (7.0, Usage())


@pytest.mark.parametrize(
    ("failing", "error"),
    [
        ({"type": "result", "is_error": True, "api_error_status": 529}, Overloaded),
        ({"type": "result", "is_error": False}, UpstreamError),
        ({"type": "system", "subtype": "api_retry", "error_status": 429}, AccountLimitReached),
    ],
)
def test_failed_turn_sets_the_failure(failing: CliMessage, error: type[GatewayError]) -> None:
    reader = AnswerReader(make_context())
    assert reader.read([failing]) == []
    assert type(reader.failure) is error
    assert not reader.is_done


def test_retry_after_output_is_a_broken_connection() -> None:
    reader = AnswerReader(make_context())
    retry: CliMessage = {"type": "system", "subtype": "api_retry", "error": "overloaded"}
    assert reader.read([retry]) == []
    assert reader.failure is None
    events = reader.read([*stream(START, text("so far")), retry])
    assert events[-1] == Text("so far")
    assert isinstance(reader.failure, UpstreamError)


def test_error_of_an_assistant_message_explains_a_failed_result() -> None:
    reader = AnswerReader(make_context())
    explained: CliMessage = {"type": "assistant", "message": {"model": "m"}, "error": "rate_limit"}
    limits: CliMessage = {
        "type": "rate_limit_event",
        "rate_limit_info": {"rateLimitType": "five_hour", "utilization": 1},
    }
    reader.read([limits, explained, {"type": "result", "is_error": True}])
    assert isinstance(reader.failure, AccountLimitReached)
    assert reader.rate_limit_windows["five_hour"].utilization == 1
