"""Token usage and finish reasons in OpenAI's form, in which the prompt includes cached tokens.

The field `cost`, in USD, is our addition.
"""

from collections.abc import Mapping
from typing import Any

from gateway.turn import Usage

#: OpenAI's finish reason for each stop reason of the Messages API.
FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def completion_usage(usage: Usage) -> dict[str, Any]:
    """Return the usage object of chat completions and legacy completions."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": prompt_details(usage),
        "completion_tokens_details": output_details(usage),
        **cost(usage),
    }


def prompt_details(usage: Usage) -> dict[str, int]:
    """Return how many tokens of the prompt were read from and written to the cache."""
    return {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": usage.cache_write_tokens}


def output_details(usage: Usage) -> dict[str, int]:
    """Return how many tokens of the output were thinking."""
    return {"reasoning_tokens": usage.thinking_tokens}


def cost(usage: Usage) -> dict[str, float]:
    """Return the `cost` field, or nothing if the cost is unknown."""
    return {} if usage.cost_usd is None else {"cost": float(usage.cost_usd)}


def finish_reason(stop_reason: str) -> str:
    """Return OpenAI's name for `stop_reason`. An unknown reason counts as a normal end.

    >>> finish_reason("max_tokens")
    'length'
    """
    return FINISH_REASONS.get(stop_reason, "stop")


def url_citation(source: Mapping[str, Any], start: int, end: int) -> dict[str, Any]:
    """Return a source of the text from `start` to `end`, in characters."""
    url = str(source.get("url") or "")
    return {"url": url, "title": str(source.get("title") or url), "start_index": start, "end_index": end}
