"""Sampling parameters of OpenAI's APIs, translated to the scales of the Messages API."""

from collections.abc import Iterable
from typing import Any

from gateway.dialects.common.parameters import effective_top_p
from gateway.dialects.common.text import repair_text
from gateway.turn import Sampling

COUNTS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
MAX_TOP_K = 500
RANGES = {"temperature": 2.0, "top_p": 1.0, "top_k": MAX_TOP_K}


def read_sampling(body: dict[str, Any]) -> Sampling:
    """Return the sampling parameters of a chat completion or legacy completion request."""
    return Sampling(
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        temperature=cap_temperature(body.get("temperature")),
        top_p=effective_top_p(body.get("top_p")),
        top_k=read_top_k(body),
        stop=_stop_sequences(body.get("stop")),
    )


def cap_temperature(value: float | None) -> float | None:
    """Return the temperature, capped at 1: OpenAI's scale ends at 2, Anthropic's at 1.

    Anthropic's own OpenAI-compatible endpoint caps it as well.
    """
    return None if value is None else min(value, 1.0)


def read_top_k(body: dict[str, Any]) -> int | None:
    """Return `top_k`. 0 turns it off, and so does the -1 of other APIs."""
    return int(body.get("top_k") or 0) or None


def unique_stops(given: Iterable[str]) -> tuple[str, ...]:
    """Return the stop sequences that are not empty, each once."""
    return tuple(dict.fromkeys(repair_text(text) for text in given if text))


def _stop_sequences(value: str | list[str] | None) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value or []
    return unique_stops(given)
