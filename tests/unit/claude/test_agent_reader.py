"""Answers of Claude Code as an agent: several messages of the model are read as one answer."""

from typing import cast

from gateway.approvals import ApprovalRequest
from gateway.claude.cli.agent_reader import AgentAnswerReader
from gateway.claude.cli.answer_reader import AnswerContext, UsageLedger
from gateway.claude.cli.protocol import ApiEvent, ApiUsage, CliMessage, SystemMessage
from gateway.claude.cli.tools import ToolSet
from gateway.errors import RateLimited, UpstreamError
from gateway.turn import Done, Text, Usage
from gateway.workspace import AgentWorkspace


def message(words: str, stop_reason: str | None, tokens: int) -> list[CliMessage]:
    """Return the stream of one API message."""
    events: list[ApiEvent] = [
        {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 10}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}},
    ]
    if stop_reason:
        usage: ApiUsage = {"input_tokens": 10, "output_tokens": tokens}
        events.append({"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": usage})
    return [{"type": "stream_event", "event": event, "parent_tool_use_id": None} for event in events]


def agent_reader() -> AgentAnswerReader:
    context = AnswerContext((), ToolSet([]), lambda usage: float(usage.output_tokens), UsageLedger())
    return AgentAnswerReader(context, AgentWorkspace("/p", ("Read",)))


def test_interrupted_answer_counts_the_usage_of_all_its_messages() -> None:
    reader = agent_reader()
    reader.read([*message("one", "tool_use", 5), *message("two", None, 0)])
    usage, is_estimate = reader.usage_so_far()
    assert (usage.input_tokens, usage.output_tokens, is_estimate) == (20, 5, True)


def test_truncated_answer_counts_the_usage_of_all_its_messages() -> None:
    reader = agent_reader()
    events = reader.read([*message("one", "tool_use", 5), *message("two", "max_tokens", 7)])
    assert events[-1] == Done("max_tokens", Usage(input_tokens=20, output_tokens=12, cost_usd=12.0))
    assert reader.is_cut
    assert reader.to_message().content == ({"type": "text", "text": "one\n\ntwo"},)


RETRY: SystemMessage = {
    "type": "system",
    "subtype": "api_retry",
    "error": "overloaded",
    "error_status": 529,
    "retry_delay_ms": 9,
}


def test_failure_between_two_messages_is_retried() -> None:
    reader = agent_reader()
    events = reader.read([*message("one", "tool_use", 5), RETRY, *message("two", None, 0)])
    assert "".join(event.text for event in events if isinstance(event, Text)) == "one\n\ntwo"
    reader.read([RETRY])  # in the middle of one
    assert isinstance(reader.failure, UpstreamError)


def test_rate_limit_between_two_messages_ends_the_answer() -> None:
    reader = agent_reader()
    reader.read(message("one", "tool_use", 5))
    limited: SystemMessage = {**RETRY, "error": "rate_limit", "error_status": 429}
    reader.read([limited])
    assert isinstance(reader.failure, RateLimited)


def test_requests_that_arrive_together_end_the_answer_together() -> None:
    asking = [
        cast(
            CliMessage,
            {
                "type": "control_request",
                "request_id": name,
                "request": {"subtype": "can_use_tool", "tool_name": "Read", "input": {}, "tool_use_id": name},
            },
        )
        for name in ("one", "two")
    ]
    reader = agent_reader()
    events = reader.read([*message("text", "tool_use", 5), *asking])
    assert [event.id for event in events if isinstance(event, ApprovalRequest)] == ["one", "two"]
    assert isinstance(events[-1], Done)
