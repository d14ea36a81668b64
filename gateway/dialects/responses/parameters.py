"""The parameters of a Responses API request: honored, refused or ignored."""

from collections.abc import Iterable
from operator import not_
from typing import Any

from gateway.dialects.common import reasoning
from gateway.dialects.common.field_errors import unsupported_field
from gateway.dialects.common.parameters import AsksNothing, Policy, never
from gateway.dialects.common.serving import SERVING

_HONORED = frozenset({
    "input", "model", "instructions", "previous_response_id", "conversation", "store", "background", "stream",
    "stream_options", "temperature", "top_p", "max_output_tokens", "tools", "tool_choice", "parallel_tool_calls",
    "text", "reasoning", "metadata", "top_k", "project_id",
}) | SERVING  # fmt: skip

# Each refused parameter, with a predicate for the values that ask for nothing.
_REFUSED: dict[str, AsksNothing] = {
    "prompt": never,
    "moderation": never,
    "session_id": never,
    "top_logprobs": not_,
}

# Values of ignored parameters that ask for nothing.
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "truncation": ("disabled",),
}

_POLICY = Policy(_HONORED, _REFUSED, _DEFAULTS)

# Searches always have their sources.
_SOURCES = "web_search_call.action.sources"
_LOGPROBS = "message.output_text.logprobs"


def refuse_unsupported(body: dict[str, Any]) -> None:
    """Raise UnsupportedParameter for the first parameter that would change the answer but cannot be honored."""
    _POLICY.refuse_unsupported(body)
    for index, name in enumerate(body.get("include") or ()):
        if name == _LOGPROBS:
            problem = "Claude reports no log probabilities. Remove this entry."
            raise unsupported_field(f"include[{index}]", problem)


def find_ignored(
    body: dict[str, Any], inner: Iterable[str] = (), *, has_hosted: bool = False
) -> tuple[str, ...]:
    """Return the names of parameters without effect, and of the `inner` fields. Some need hosted tools."""
    if has_hosted:
        included = [name for name in body.get("include") or () if name != _SOURCES]
        body = {**body, "include": included, "max_tool_calls": None}
    names = reasoning.find_ignored({"reasoning": body.get("reasoning")})
    if (body.get("text") or {}).get("verbosity") not in (None, "medium"):
        names.append("text.verbosity")
    return _POLICY.find_ignored(body, [*names, *inner])
