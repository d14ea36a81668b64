"""What becomes of a chat request's parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.dialects.common import parameters, reasoning
from gateway.dialects.common.text import well_formed
from gateway.turn import Sampling

_HONOURED = frozenset({
    "messages", "model", "system_prompt", "stream", "stream_options", "n", "temperature", "top_p", "max_tokens",
    "max_completion_tokens", "stop", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call",
    "response_format", "reasoning_effort", "reasoning", "thinking", "session_id", "project_id",
})  # fmt: skip


def _never(value: Any) -> bool:
    return False


def _empty(value: Any) -> bool:
    return not value


# Per refused parameter: which values ask for nothing.
_REFUSED: dict[str, Callable[[Any], bool]] = {
    "modalities": lambda value: all(kind == "text" for kind in value),
    "audio": _never,
    "logprobs": _empty,
    "top_logprobs": _empty,
    "web_search_options": _never,
}

# Defaults of ignored parameters, which ask for nothing either. Empty values never do.
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "verbosity": ("medium",),
}


_POLICY = parameters.Policy(_HONOURED, _REFUSED, _DEFAULTS)


def refuse_unsupported(body: dict[str, Any]) -> None:
    """Raises UnsupportedParameter for the first parameter that would change the answer and cannot be met."""
    _POLICY.refuse_unsupported(body)


def ignored_parameters(body: dict[str, Any]) -> tuple[str, ...]:
    """The names of parameters without effect."""
    return _POLICY.ignored(body, reasoning.without_effect(body))


def sampling(body: dict[str, Any]) -> Sampling:
    """The sampling parameters."""
    return Sampling(
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        temperature=parameters.temperature(body.get("temperature")),
        top_p=parameters.top_p(body.get("top_p")),
        stop=_stop(body.get("stop")),
    )


def _stop(value: str | list[str] | None) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value or []
    return tuple(well_formed(text) for text in given if text)
