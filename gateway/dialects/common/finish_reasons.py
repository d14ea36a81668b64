"""Translate the Messages API's stop reasons into OpenAI's finish reasons."""

from __future__ import annotations

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def finish_reason(stop_reason: str) -> str:
    """Return OpenAI's name for `stop_reason`. An unknown reason counts as a normal end.

    >>> finish_reason("max_tokens")
    'length'
    """
    return FINISH_REASONS.get(stop_reason, "stop")
