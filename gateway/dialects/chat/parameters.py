"""The parameters of a chat completion request: honored, refused or ignored."""

from collections.abc import Iterable
from operator import not_
from typing import Any

from gateway.dialects.common import reasoning
from gateway.dialects.common.parameters import AsksNothing, Policy, never
from gateway.dialects.common.serving import SERVING

_HONORED = frozenset({
    "messages", "model", "system_prompt", "stream", "stream_options", "n", "temperature", "top_p", "max_tokens",
    "max_completion_tokens", "stop", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call",
    "response_format", "reasoning_effort", "reasoning", "thinking", "session_id", "project_id", "web_search_options",
    "top_k",
}) | SERVING  # fmt: skip

# Each refused parameter, with a predicate for the values that ask for nothing.
_REFUSED: dict[str, AsksNothing] = {
    "modalities": lambda value: all(kind == "text" for kind in value),
    "audio": never,
    "logprobs": not_,
    "top_logprobs": not_,
}

# Values of ignored parameters that ask for nothing.
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "store": (False,),
    "verbosity": ("medium",),
}

_POLICY = Policy(_HONORED, _REFUSED, _DEFAULTS)


def refuse_unsupported(body: dict[str, Any]) -> None:
    """Raise UnsupportedParameter for the first parameter that would change the answer but cannot be honored."""
    _POLICY.refuse_unsupported(body)


def find_ignored(body: dict[str, Any], inner: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the names of parameters without effect, and of the `inner` fields."""
    return _POLICY.find_ignored(body, [*reasoning.find_ignored(body), *inner])
