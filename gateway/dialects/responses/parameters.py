"""What becomes of the parameters of a Responses API request."""

from __future__ import annotations

from operator import not_
from typing import Any

from gateway.dialects.common import parameters, reasoning
from gateway.dialects.common.field_errors import unsupported

_HONOURED = frozenset({
    "input", "model", "instructions", "previous_response_id", "store", "background", "stream", "stream_options",
    "temperature", "top_p", "max_output_tokens", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning",
    "metadata",
})  # fmt: skip


def _never(value: Any) -> bool:
    return False


# Per refused parameter: which values ask for nothing.
_REFUSED: dict[str, parameters.AsksNothing] = {
    "conversation": _never,
    "prompt": _never,
    "moderation": _never,
    "session_id": _never,
    "project_id": _never,
    "top_logprobs": not_,
}

# Defaults of ignored parameters, which ask for nothing either. Empty values never do.
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "service_tier": ("auto", "default"),
    "truncation": ("disabled",),
}

_POLICY = parameters.Policy(_HONOURED, _REFUSED, _DEFAULTS)

_LOGPROBS = "message.output_text.logprobs"


def refuse_unsupported(body: dict[str, Any]) -> None:
    """Raises UnsupportedParameter for the first parameter that would change the answer and cannot be met."""
    _POLICY.refuse_unsupported(body)
    for index, name in enumerate(body.get("include") or ()):
        if name == _LOGPROBS:
            raise unsupported(f"include[{index}]", "The model gives no log probabilities.")


def ignored_parameters(body: dict[str, Any]) -> tuple[str, ...]:
    """The names of parameters without effect."""
    inner = reasoning.without_effect({"reasoning": body.get("reasoning")})
    if (body.get("text") or {}).get("verbosity") not in (None, "medium"):
        inner.append("text.verbosity")
    return _POLICY.ignored(body, inner)
