"""Read how much the model shall think: OpenAI's effort, and Anthropic's `thinking`."""

from typing import Any, NamedTuple

from gateway.dialects.common.adjust import REPAIR
from gateway.dialects.common.field_errors import invalid_field
from gateway.dialects.common.where import Notes, Where
from gateway.lenient_json import as_number
from gateway.turn import EFFORTS, MIN_THINKING_BUDGET

# Efforts that ask for no thinking. A model that cannot turn thinking off gets the lowest effort instead.
_OFF = ("none", "minimal")
# Words of other APIs and clients. "auto" and unknown words count as absent.
_SYNONYMS = {
    **dict.fromkeys(("off", "disabled", "disable", "false"), "none"),
    **dict.fromkeys(("ultra", "maximum", "highest"), "max"),
    **dict.fromkeys(("extra_high", "extra-high", "very_high", "very-high"), "xhigh"),
    **dict.fromkeys(("min", "minimum", "lowest"), "minimal"),
}
#: The values of `thinking.display` that have an effect.
DISPLAYS = ("summarized", "omitted")

_THINKING: dict[str, bool | None] = {"enabled": True, "adaptive": True, "disabled": False, "auto": None}
_HONORED = {
    "reasoning": ("effort", "summary", "generate_summary", "max_tokens"),
    "thinking": ("type", "budget_tokens"),
}
# Values that only some fields may have: whether the text of the thinking is wanted.
_HONORED_VALUES: dict[tuple[str, str], tuple[Any, ...]] = {
    ("reasoning", "exclude"): (True, False),
    ("thinking", "display"): DISPLAYS,
}


_FIELDS = frozenset({"reasoning_effort", "reasoning", "thinking"})


class Reasoning(NamedTuple):
    """A Turn's effort, thinking and thinking budget in tokens, each None if the client does not say."""

    effort: str | None
    thinking: bool | None
    budget: int | None


def read_reasoning(body: dict[str, Any], notes: Notes) -> Reasoning:
    """Return how the model shall think. Raises InvalidRequest.

    `reasoning_effort` takes precedence over `reasoning.effort`, and `thinking` decides whether the model thinks. The
    budget is `thinking.budget_tokens`, or OpenRouter's `reasoning.max_tokens`.

    >>> read_reasoning({"reasoning_effort": "low"}, Notes())
    Reasoning(effort='low', thinking=True, budget=None)
    """
    if _FIELDS.isdisjoint(body):
        return Reasoning(None, None, None)
    reasoning, thinking = body.get("reasoning") or {}, body.get("thinking") or {}
    effort, thinks = read_effort(body.get("reasoning_effort"), notes.at("reasoning_effort"))
    if effort is None:
        effort, thinks = read_effort(reasoning.get("effort"), notes.at("reasoning.effort"))
    explicit = read_thinking(thinking)
    thinks = thinks if explicit is None else explicit
    budget = _read_budget(thinking.get("budget_tokens"), notes.at("thinking.budget_tokens"))
    if budget is None:
        budget = _read_budget(reasoning.get("max_tokens"), notes.at("reasoning.max_tokens"))
    return Reasoning(effort, thinks, budget if thinks is not False else None)


def find_ignored(body: dict[str, Any]) -> list[str]:
    """Return the paths of inner fields that have no effect, such as `reasoning.enabled`."""
    return [
        f"{name}.{key}"
        for name, honored in _HONORED.items()
        for key, value in (body.get(name) or {}).items()
        if value is not None and key not in honored and value not in _HONORED_VALUES.get((name, key), ())
    ]


def read_effort(value: Any, where: Where) -> tuple[str | None, bool | None]:
    """Return the effort and if the model shall think. An unknown word is noted as ignored. Raises InvalidRequest."""
    if value in (None, ""):
        return None, None
    if not isinstance(value, str):
        raise invalid_field(where, f"Expected one of: {', '.join((*_OFF, *EFFORTS))}.")
    word = value.strip().lower()
    word = _SYNONYMS.get(word, word)
    if word not in _OFF and word not in EFFORTS:
        where.ignore()
        return None, None
    if word != value:
        where.repair(REPAIR)
    return (EFFORTS[0], False) if word in _OFF else (word, True)


def read_thinking(thinking: dict[str, Any]) -> bool | None:
    """Return True or False for `thinking.type`, None without a type. Raises InvalidRequest."""
    kind = thinking.get("type")
    if kind in (None, ""):
        return None
    if not isinstance(kind, str) or kind not in _THINKING:
        raise invalid_field("thinking.type", f"Expected one of: {', '.join(_THINKING)}.")
    return _THINKING[kind]


def cut_budget(budget: int | None, max_tokens: int | None, where: Where) -> int | None:
    """Return a budget that leaves room for an answer of `max_tokens`, which includes thinking: half of it."""
    if budget is None or max_tokens is None or budget < max_tokens:
        return budget
    where.repair(REPAIR)
    return max(max_tokens // 2, MIN_THINKING_BUDGET)


def _read_budget(value: Any, where: Where) -> int | None:
    """Return the budget, at least the smallest one that the API accepts. A budget of 0 or -1 counts as absent."""
    if value is None:
        return None
    budget = int(as_number(value) or 0)
    if budget < 1:
        where.ignore()
        return None
    if value != max(budget, MIN_THINKING_BUDGET):
        where.repair(REPAIR)
    return max(budget, MIN_THINKING_BUDGET)
