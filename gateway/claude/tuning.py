"""What a turn's parameters become for a model: the CLI's settings, and what the model cannot take.

The rules of what a model refuses are Anthropic's (models.json holds each model's properties); the choices are ours:
- temperature and a low top_p need thinking to be off, so it is turned off for them unless the client asked for it;
- `max_tokens` counts thinking, so a small one turns thinking off, or lowers the effort where thinking cannot be.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from gateway.claude.catalogue import Model
from gateway.turn import Sampling, Turn

MIN_BUDGET = 1024  # tokens; the API takes no smaller thinking budget
SMALL_MAX_TOKENS = 4096  # below this an adaptive model that cannot stop thinking gets the lowest effort
MIN_TOP_P_THINKING = 0.95


@dataclass(frozen=True, slots=True)
class Tuning:
    """Settings of one turn for `apply_flag_settings`, the thinking budget in tokens (None: the CLI's own choice,
    0: off), and the names of parameters left out."""

    settings: dict[str, Any]
    thinking_budget: int | None
    ignored: tuple[str, ...]


def tune(turn: Turn, model: Model) -> Tuning:
    """The settings for `turn` on `model`."""
    budget = _thinking_budget(turn, model)
    body, ignored = _sampling(turn.sampling, model, thinks=budget != 0 and model.thinking != "none")
    if turn.sampling.stop:
        body["stop_sequences"] = list(turn.sampling.stop)
    settings: dict[str, Any] = {"env": _environment(turn.sampling, body)}
    if model.id != "default":
        settings["model"] = model.id
    effort = _effort(turn, model, budget)
    if effort:
        settings["effortLevel"] = effort
    return Tuning(settings, budget, ignored)


def _thinking_budget(turn: Turn, model: Model) -> int | None:
    if model.thinking == "none":
        return None
    if turn.thinking is False and model.thinking_off:
        return 0
    max_tokens = turn.sampling.max_tokens
    if max_tokens is not None and max_tokens < 2 * MIN_BUDGET and model.thinking_off:
        return 0
    if not turn.thinking and model.thinking_off and _forbids_thinking(turn.sampling, model):
        return 0
    if max_tokens is not None and model.thinking == "budget":
        return max_tokens // 2
    return None


def _forbids_thinking(sampling: Sampling, model: Model) -> bool:
    """Whether something would reach the model without thinking that cannot be sent with it."""
    if sampling.temperature not in (None, 1):
        return model.sampling != "none"
    return sampling.top_p is not None and sampling.top_p < MIN_TOP_P_THINKING and model.sampling == "both"


def _sampling(sampling: Sampling, model: Model, *, thinks: bool) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The request fields, and the names of those that the model refuses. 1 is every model's default."""
    wanted = {
        name: value
        for name, value in (("temperature", sampling.temperature), ("top_p", sampling.top_p))
        if value is not None and value != 1
    }
    taken = {name: value for name, value in wanted.items() if _takes(model, name, value, wanted, thinks)}
    return taken, tuple(name for name in wanted if name not in taken)


def _takes(model: Model, name: str, value: float, wanted: dict[str, float], thinks: bool) -> bool:
    if model.sampling == "none":
        return False
    if thinks:
        return name == "top_p" and value >= MIN_TOP_P_THINKING and "temperature" not in wanted
    if name == "temperature":
        return True
    return model.sampling == "both"  # with thinking off the CLI sends a temperature of its own beside it


def _environment(sampling: Sampling, body: dict[str, Any]) -> dict[str, str]:
    """Both are always set: "" undoes what an earlier turn in the same process had set."""
    return {
        "CLAUDE_CODE_EXTRA_BODY": json.dumps(body) if body else "",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "" if sampling.max_tokens is None else str(sampling.max_tokens),
    }


def _effort(turn: Turn, model: Model, budget: int | None) -> str | None:
    if turn.effort and model.efforts:
        return turn.effort if turn.effort in model.efforts else _nearest(turn.effort, model.efforts)
    max_tokens = turn.sampling.max_tokens
    if max_tokens is not None and max_tokens < SMALL_MAX_TOKENS and budget != 0 and model.efforts:
        return model.efforts[0]
    return None


def _nearest(wanted: str, efforts: tuple[str, ...]) -> str:
    """The highest effort of the model that is not above the wanted one; its lowest if all are."""
    order = ("low", "medium", "high", "xhigh", "max")
    below = [effort for effort in efforts if order.index(effort) <= order.index(wanted)]
    return below[-1] if below else efforts[0]
