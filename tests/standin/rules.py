"""The requests that the Messages API rejects, as one pure function.

A rule is a generator of error messages. Rules run in order, so each may rely on what earlier rules checked: first of
all, on the shape. Sources: Anthropic's API reference, its pages on thinking, tool use, vision and migration, and error
texts that users reported. Where sources differ, the stricter one applies.

>>> rejection({"model": "claude-opus-4-8", "messages": []})
'max_tokens: Field required'
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any

from .models import LONG_CONTEXT_BETA, Model, describe
from .prompt import Body, count_tokens, thinking_type, thinks
from .rules_blocks import check_citations
from .rules_cache import cache_breakpoints
from .rules_messages import message_rules
from .rules_schemas import output_format
from .rules_tools import tool_rules
from .shapes import shape_problem

Rule = Callable[[Body, Model], Iterator[str]]

_THINKING_ADVICE = ' Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'

MIN_BUDGET = 1_024
MIN_TOP_P_THINKING = 0.95
# The API documents no number. This is the largest that worked for users who reported one.
MAX_STOP_SEQUENCES = 8_191
MAX_USER_ID = 256
# Fields of the beta API that it knows only with a header that starts like one of these. The SDK says that some models
# need the one for `speed`.
FIELD_BETAS: dict[str, tuple[str, ...]] = {
    "billing_policy": ("user-profiles-billing-",),
    "compaction": ("compact-2026-09-04",),
    "context_management": ("context-management-", "compact-2026-01-12"),
    "fallback_credit_token": ("fallback-credit-",),
    "fallbacks": ("server-side-fallback-",),
    "mcp_servers": ("mcp-client-",),
    "output_config.task_budget": ("task-budgets-",),
    "output_format": ("structured-outputs-",),
    "speed": ("fast-mode-",),
    "thinking.block_binding": ("thinking-binding-controls-",),
    "thread": ("message-threads-",),
}


def rejection(body: Any, betas: Collection[str] = ()) -> str | None:
    """Return the message of the API's 400 for this body, or None if the API would accept it.

    `betas` are the values of the `anthropic-beta` header. Unknown models, a 404, are not checked here.
    """
    if not isinstance(body, dict):
        return "Input should be an object"
    if problem := next(_roles(body), None) or shape_problem(body):
        return problem
    if not body["model"]:
        return "model: String should have at least 1 character"
    model = describe(body["model"], betas)
    return next((message for rule in RULES for message in rule(body, model)), None)


def _roles(body: Body) -> Iterator[str]:
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        role = message.get("role", "user") if isinstance(message, dict) else "user"
        if role not in ("user", "assistant", "system"):
            yield f'messages: Unexpected role "{role}". Allowed roles are "user" or "assistant"'


def _betas(body: Body, model: Model) -> Iterator[str]:
    for path, needed in FIELD_BETAS.items():
        outer, _, inner = path.partition(".")
        value = body.get(outer)
        is_sent = value is not None if not inner else inner in (value or {})
        if is_sent and not model.has_beta(*needed):
            yield f"{path}: Extra inputs are not permitted"


def _serving(body: Body, model: Model) -> Iterator[str]:
    """Yield the errors about how the request shall be served."""
    if body.get("speed") == "fast" and not model.fast_ok:
        yield f"speed: fast mode is not supported for {model.id}"
    if model.has_beta(LONG_CONTEXT_BETA) and not model.takes_long_context:
        yield "The long context beta is not yet available for this subscription."


def _limits(body: Body, model: Model) -> Iterator[str]:
    limit = body["max_tokens"]
    if limit < 0:
        yield "max_tokens: must be greater than or equal to 0"
    elif limit > model.max_output:
        yield (
            f"max_tokens: {limit} > {model.max_output}, which is the maximum allowed number of output tokens"
            f" for {model.id}"
        )
    # Zero only fills the prompt cache. Source: "Prompt caching", on pre-warming.
    config, choice = body.get("output_config") or {}, body.get("tool_choice") or {}
    generates = body.get("stream") or config.get("format") or choice.get("type") in ("any", "tool")
    if limit == 0 and (generates or thinking_type(body) == "enabled"):
        yield "max_tokens: must be greater than or equal to 1"
    user_id = (body.get("metadata") or {}).get("user_id") or ""
    if len(user_id) > MAX_USER_ID:
        yield f"metadata.user_id: String should have at most {MAX_USER_ID} characters"


def _stop_sequences(body: Body, _model: Model) -> Iterator[str]:
    sequences = body.get("stop_sequences", ())
    if len(sequences) > MAX_STOP_SEQUENCES:
        yield f"stop_sequences: List should have at most {MAX_STOP_SEQUENCES} items"
    elif not all(item.strip() for item in sequences):
        yield "stop_sequences: each stop sequence must contain non-whitespace"


def _sampling(body: Body, model: Model) -> Iterator[str]:
    sent = [name for name in ("temperature", "top_p", "top_k") if name in body]
    if not model.takes_sampling:
        yield from (f"`{name}` is deprecated for this model." for name in sent)
    for name in sent:
        high = 500 if name == "top_k" else 1
        if not 0 <= body[name] <= high:
            yield f"{name}: range: 0..{high}"
    if not model.both_sampling_ok and "temperature" in sent and "top_p" in sent:
        yield "`temperature` and `top_p` cannot both be specified for this model. Please use only one."


def _sampling_while_thinking(body: Body, model: Model) -> Iterator[str]:
    if not thinks(body, model):
        return
    if body.get("temperature", 1) != 1:
        yield "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode."
    if body.get("top_p", 1) < MIN_TOP_P_THINKING:
        yield "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled."
    if "top_k" in body:
        yield "`top_k` must be unset when thinking is enabled or in adaptive mode."


def _thinking(body: Body, model: Model) -> Iterator[str]:
    if "thinking" not in body:
        return
    allowed = {
        "enabled": model.thinking_enabled_ok,
        "adaptive": model.adaptive_ok,
        "disabled": model.thinking_off_ok,
    }
    kind = thinking_type(body)
    if not allowed.get(kind):
        advice = _THINKING_ADVICE if model.adaptive_ok else ""
        yield f'"thinking.type.{kind}" is not supported for this model.{advice}'
    if body["thinking"].get("display") == "updates" and not model.has_beta("thinking-display-updates-"):
        yield f"thinking.{kind}.display: Input should be 'omitted' or 'summarized'"
    budget = body["thinking"].get("budget_tokens", MIN_BUDGET)
    if budget < MIN_BUDGET:
        yield f"thinking.enabled.budget_tokens: Input should be greater than or equal to {MIN_BUDGET}"
    elif kind == "enabled" and body["max_tokens"] <= budget:
        yield "`max_tokens` must be greater than `thinking.budget_tokens`."


def _effort(body: Body, model: Model) -> Iterator[str]:
    effort = (body.get("output_config") or {}).get("effort")
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


def _context_edits(body: Body, model: Model) -> Iterator[str]:
    """Yield the errors of `context_management`. Source: "Context editing", and error texts that users reported."""
    edits = [edit["type"] for edit in (body.get("context_management") or {}).get("edits", ())]
    if len(set(edits)) < len(edits):
        yield "context_management.edits: each edit type may only be specified once"
    for index, kind in enumerate(edits):
        if kind.startswith("clear_thinking_"):
            if not thinks(body, model):
                yield f"`{kind}` strategy requires `thinking` to be enabled or adaptive"
            if index:
                yield f"context_management.edits.{index}: `{kind}` must be the first edit"


def _container(body: Body, _model: Model) -> Iterator[str]:
    kinds = [tool.get("type") or "" for tool in body.get("tools", ())]
    if body.get("container") is not None and not any(kind.startswith("code_execution_") for kind in kinds):
        yield "container: Container identifier can only be provided when using the code execution tool"


def _window(body: Body, model: Model) -> Iterator[str]:
    tokens = count_tokens(body)
    if tokens > model.window:
        yield f"prompt is too long: {tokens} tokens > {model.window} maximum"


RULES: tuple[Rule, ...] = (
    _betas,
    _serving,
    _limits,
    _stop_sequences,
    _sampling,
    _thinking,
    _sampling_while_thinking,
    _effort,
    _context_edits,
    _container,
    output_format,
    *tool_rules,
    *message_rules,
    check_citations,
    cache_breakpoints,
    _window,
)
