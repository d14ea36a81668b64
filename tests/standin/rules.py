"""The requests that the Messages API rejects, as one pure function.

A rule is a generator of error messages. Rules run in order, so each may rely on the shapes that earlier rules checked.
Sources: Anthropic's API reference, its pages on thinking, tool use, vision and migration, and error texts that users
reported. Where sources differ, the stricter one applies.

>>> rejection({"model": "claude-opus-4-8", "messages": []})
'max_tokens: Field required'
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from .models import Model, describe
from .prompt import Body, count_tokens, thinking_type, thinks
from .rules_messages import message_rules
from .rules_schemas import output_format
from .rules_tools import tool_rules

Rule = Callable[[Body, Model], Iterator[str]]

_THINKING_ADVICE = ' Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'

MIN_BUDGET = 1_024
MIN_TOP_P_THINKING = 0.95
# The API documents no number. This is the largest that worked for users who reported one.
MAX_STOP_SEQUENCES = 8_191

# For any other field the API answers "Extra inputs are not permitted".
KNOWN_FIELDS = frozenset(
    (
        *("model", "messages", "max_tokens", "system", "stream", "stop_sequences"),
        *("temperature", "top_p", "top_k", "tools", "tool_choice", "thinking"),
        *("metadata", "service_tier", "container", "context_management", "mcp_servers"),
        *("output_config", "output_format", "speed", "inference_geo", "cache_control"),
    )
)


def rejection(body: Any, betas: Collection[str] = ()) -> str | None:
    """Return the message of the API's 400 for this body, or None if the API would accept it.

    `betas` are the values of the `anthropic-beta` header. Unknown models, a 404, are not checked here.
    """
    if not isinstance(body, dict):
        return "Input should be a valid dictionary"
    if not isinstance(body.get("model"), str) or not body["model"]:
        return "model: Field required"
    model = describe(body["model"], betas)
    return next((message for rule in RULES for message in rule(body, model)), None)


def _fields(body: Body, _model: Model) -> Iterator[str]:
    for name in body:
        if name not in KNOWN_FIELDS:
            yield f"{name}: Extra inputs are not permitted"
    if "stream" in body and not isinstance(body["stream"], bool):
        yield "stream: Input should be a valid boolean"


def _max_tokens(body: Body, model: Model) -> Iterator[str]:
    limit = body.get("max_tokens")
    if limit is None:
        yield "max_tokens: Field required"
    elif not isinstance(limit, int) or isinstance(limit, bool):
        yield "max_tokens: Input should be a valid integer"
    elif limit < 1:
        yield "max_tokens: Input should be greater than or equal to 1"
    elif limit > model.max_output:
        yield (
            f"max_tokens: {limit} > {model.max_output}, which is the maximum allowed number of output tokens"
            f" for {model.id}"
        )


def _stop_sequences(body: Body, _model: Model) -> Iterator[str]:
    sequences = body.get("stop_sequences")
    if sequences is None:
        return
    if not isinstance(sequences, list) or not all(isinstance(item, str) for item in sequences):
        yield "stop_sequences: Input should be a valid list of strings"
    elif len(sequences) > MAX_STOP_SEQUENCES:
        yield f"stop_sequences: List should have at most {MAX_STOP_SEQUENCES} items"
    elif not all(item.strip() for item in sequences):
        yield "stop_sequences: each stop sequence must contain non-whitespace"


def _number(body: Body, name: str, low: float, high: float) -> Iterator[str]:
    value = body.get(name)
    if value is None:
        return
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        yield f"{name}: Input should be a valid number"
    elif not low <= value <= high:
        yield f"{name}: range: {low:g}..{high:g}"


def _sampling(body: Body, model: Model) -> Iterator[str]:
    sent = [name for name in ("temperature", "top_p", "top_k") if body.get(name) is not None]
    if not model.takes_sampling:
        yield from (f"`{name}` is deprecated for this model." for name in sent)
    yield from _number(body, "temperature", 0, 1)
    yield from _number(body, "top_p", 0, 1)
    yield from _number(body, "top_k", 0, 500)
    if not model.both_sampling_ok and "temperature" in sent and "top_p" in sent:
        yield "`temperature` and `top_p` cannot both be specified for this model. Please use only one."


def _sampling_while_thinking(body: Body, model: Model) -> Iterator[str]:
    if not thinks(body, model):
        return
    if body.get("temperature") not in (None, 1):
        yield "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode."
    if body.get("top_p") is not None and body["top_p"] < MIN_TOP_P_THINKING:
        yield "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled."
    if body.get("top_k") is not None:
        yield "`top_k` must be unset when thinking is enabled or in adaptive mode."


def _thinking(body: Body, model: Model) -> Iterator[str]:
    if body.get("thinking") is None:
        return
    allowed = {
        "enabled": model.thinking_enabled_ok,
        "adaptive": model.adaptive_ok,
        "disabled": model.thinking_off_ok,
    }
    kind = thinking_type(body)
    if kind not in allowed:
        yield "thinking.type: Input tag should be one of 'adaptive', 'disabled', 'enabled'"
    elif not allowed[kind]:
        advice = _THINKING_ADVICE if model.adaptive_ok else ""
        yield f'"thinking.type.{kind}" is not supported for this model.{advice}'


def _thinking_details(body: Body, _model: Model) -> Iterator[str]:
    thinking = body.get("thinking") or {}
    if thinking.get("display") not in (None, "summarized", "omitted", "updates"):
        yield "thinking.display: Input should be 'summarized', 'omitted' or 'updates'"
    if thinking.get("type") == "enabled":
        yield from _budget(body, thinking.get("budget_tokens"))
    elif "budget_tokens" in thinking:
        yield f"thinking.{thinking['type']}.budget_tokens: Extra inputs are not permitted"


def _budget(body: Body, budget: Any) -> Iterator[str]:
    if not isinstance(budget, int) or isinstance(budget, bool):
        yield "thinking.enabled.budget_tokens: Field required"
    elif budget < MIN_BUDGET:
        yield f"thinking.enabled.budget_tokens: Input should be greater than or equal to {MIN_BUDGET}"
    elif body["max_tokens"] <= budget:
        yield "`max_tokens` must be greater than `thinking.budget_tokens`."


def _effort(body: Body, model: Model) -> Iterator[str]:
    config = body.get("output_config")
    effort = config.get("effort") if isinstance(config, dict) else None
    if effort is None:
        return
    if not model.efforts:
        yield "This model does not support the effort parameter."
    elif effort not in model.efforts:
        yield f"output_config.effort: Input should be one of {', '.join(model.efforts)}"
    elif effort in ("xhigh", "max") and _caps_effort(body, model):
        yield f"output_config.effort: {effort} is not supported when thinking is disabled."


def _caps_effort(body: Body, model: Model) -> bool:
    return model.caps_effort_without_thinking and thinking_type(body) == "disabled"


def _window(body: Body, model: Model) -> Iterator[str]:
    tokens = count_tokens(body)
    if tokens > model.window:
        yield f"prompt is too long: {tokens} tokens > {model.window} maximum"


RULES: tuple[Rule, ...] = (
    _fields,
    _max_tokens,
    _stop_sequences,
    _sampling,
    _thinking,
    _thinking_details,
    _sampling_while_thinking,
    _effort,
    output_format,
    *tool_rules,
    *message_rules,
    _window,
)
