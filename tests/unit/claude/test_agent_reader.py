"""Answers of Claude Code as an agent: several messages of the model are read as one answer."""

from __future__ import annotations

from gateway.claude.cli.agent_reader import AgentAnswer
from gateway.claude.cli.answer_reader import UsageLedger
from gateway.errors import RateLimited, UpstreamError
from gateway.turn import AgentWorkspace, Done, Text, Usage
from tests.support.recorded import Body


def line(event: Body) -> Body:
    return {"type": "stream_event", "event": event, "parent_tool_use_id": None}


def message(words: str, stop_reason: str | None, tokens: int) -> list[Body]:
    """The stream of one API message."""
    usage = {"input_tokens": 10, "output_tokens": tokens}
    events: list[Body] = [
        {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 10}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}},
    ]
    if stop_reason:
        events.append({"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": usage})
    return [line(event) for event in events]


def agent_answer() -> AgentAnswer:
    return AgentAnswer(
        (), {}, lambda usage: float(usage.output_tokens), UsageLedger(), AgentWorkspace("/p", ("Read",))
    )


def test_interrupted_answer_counts_the_usage_of_all_its_messages() -> None:
    answer = agent_answer()
    answer.read([*message("one", "tool_use", 5), *message("two", None, 0)])
    usage, is_estimate = answer.used()
    assert (usage.input_tokens, usage.output_tokens, is_estimate) == (20, 5, True)


def test_truncated_answer_counts_the_usage_of_all_its_messages() -> None:
    answer = agent_answer()
    events = answer.read([*message("one", "tool_use", 5), *message("two", "max_tokens", 7)])
    assert events[-1] == Done("max_tokens", Usage(input_tokens=20, output_tokens=12, cost_usd=12.0))
    assert answer.is_cut
    assert answer.message().content == ({"type": "text", "text": "one\n\ntwo"},)


RETRY = {
    "type": "system",
    "subtype": "api_retry",
    "error": "overloaded",
    "error_status": 529,
    "retry_delay_ms": 9,
}


def test_failure_between_two_messages_is_retried() -> None:
    answer = agent_answer()
    events = answer.read([*message("one", "tool_use", 5), RETRY, *message("two", None, 0)])
    assert "".join(event.text for event in events if isinstance(event, Text)) == "one\n\ntwo"
    answer.read([RETRY])  # in the middle of one
    assert isinstance(answer.failure, UpstreamError)


def test_rate_limit_between_two_messages_ends_the_answer() -> None:
    answer = agent_answer()
    answer.read(message("one", "tool_use", 5))
    answer.read([{**RETRY, "error": "rate_limit", "error_status": 429}])
    assert isinstance(answer.failure, RateLimited)
