"""What becomes of a chat request's parameters: honoured, ignored and named so, or refused.

A parameter is ignored where the answer keeps its shape and meaning without it, and refused where not. A value
that asks for nothing (null, the default) is silent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from gateway.dialects import reasoning
from gateway.dialects.text import well_formed
from gateway.errors import UnsupportedParameter
from gateway.turn import Sampling

#: The names go into a response header, whose size proxies limit.
MOST_NAMED = 32
LONGEST_NAME = 64

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


def refuse_unsupported(body: dict[str, Any]) -> None:
    """Raises UnsupportedParameter for the first parameter that would change the answer and cannot be met."""
    for name, asks_nothing in _REFUSED.items():
        value = body.get(name)
        if value is not None and not asks_nothing(value):
            raise UnsupportedParameter(f"'{name}' is not supported with this value.", param=name)


def ignored_parameters(body: dict[str, Any]) -> tuple[str, ...]:
    """The names, sorted, of parameters without effect. Percent-encoded where unfit for a header."""
    names = [name for name, value in body.items() if _is_ignored(name, value)]
    names += reasoning.without_effect(body)
    return tuple(quote(name[:LONGEST_NAME], errors="replace") for name in sorted(names)[:MOST_NAMED])


def sampling(body: dict[str, Any]) -> Sampling:
    """The sampling parameters."""
    return Sampling(
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        temperature=_temperature(body.get("temperature")),
        top_p=_top_p(body.get("top_p")),
        stop=_stop(body.get("stop")),
    )


def _is_ignored(name: str, value: Any) -> bool:
    if name in _HONOURED or name in _REFUSED:
        return False
    return value not in (None, "", [], {}) and value not in _DEFAULTS.get(name, ())


def _temperature(value: float | None) -> float | None:
    """OpenAI's scale ends at 2, Anthropic's at 1; Anthropic's own OpenAI layer caps as well."""
    return None if value is None else min(value, 1.0)


def _top_p(value: float | None) -> float | None:
    """1, which clients send as the default, cuts nothing off; but models refuse top_p beside temperature."""
    return None if value == 1 else value


def _stop(value: str | list[str] | None) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value or []
    return tuple(well_formed(text) for text in given if text)
