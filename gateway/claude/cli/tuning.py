"""What a turn's parameters become for a model: the CLI's settings, and what the model cannot take.

The rules of what a model refuses are Anthropic's (models.json holds each model's properties); the choices are ours:
- temperature and a low top_p need thinking to be off, so it is turned off for them unless the client asked for it;
- `max_tokens` counts thinking, so a small one turns thinking off, or lowers the effort where thinking cannot be;
- on models that think within a budget, a forced tool call turns thinking off, and so does a tool round that is seeded:
  such a model wants its thinking back before the calls, and the CLI drops it from seeded messages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from gateway.claude.cli.tools import model_name
from gateway.turn import EFFORTS, Model, Sampling, ToolChoice, Turn

MIN_BUDGET = 1024  # tokens; the API takes no smaller thinking budget
SMALL_MAX_TOKENS = 4096  # below this an adaptive model that cannot stop thinking gets the lowest effort
MIN_TOP_P_THINKING = 0.95
EFFORT_BUDGETS = {
    "low": 4096,
    "medium": 16384,
}  # tokens, for models without efforts; the higher ones: as they like


@dataclass(frozen=True, slots=True)
class Tuning:
    """The parameters of one turn on one model.

    `thinking_budget` is in tokens (None: the CLI's own choice, 0: off). `stops` are the stop sequences that the API
    does not watch for; `ignored` names the parameters left out.
    """

    settings: dict[str, Any]
    thinking_budget: int | None
    stops: tuple[str, ...]
    ignored: tuple[str, ...]

    def requests(self) -> list[dict[str, Any]]:
        """The control requests that set everything, and undo whatever an earlier turn had set."""
        thinking = {"max_thinking_tokens": self.thinking_budget, "thinking_display": "summarized"}
        return [
            {"subtype": "set_max_thinking_tokens", **thinking},
            {"subtype": "apply_flag_settings", "settings": self.settings},
        ]


def tune(turn: Turn, model: Model, *, seeded: bool) -> Tuning:
    """The settings for `turn` on `model`; `seeded` tells that its history is not the process's own."""
    budget = _thinking_budget(turn, model, seeded)
    body, ignored = _sampling(turn.sampling, model, thinks=budget != 0 and model.thinking != "none")
    if turn.thinking_budget and model.thinking != "budget":
        ignored += ("thinking.budget_tokens",)
    native, watched = _stops(turn)
    if native:
        body["stop_sequences"] = list(native)
    if turn.tools:
        body |= _tool_choice(turn.tool_choice)
    settings: dict[str, Any] = {
        "env": _environment(turn.sampling, body),
        "effortLevel": _effort(turn, model, budget),
    }
    if model.id != "default":
        settings["model"] = model.id
    return Tuning(settings, budget, watched, ignored)


def _thinking_budget(turn: Turn, model: Model, seeded: bool) -> int | None:
    if model.thinking == "none":
        return None
    if _must_not_think(turn, model, seeded) or (model.thinking_off and _should_not_think(turn, model)):
        return 0
    if model.thinking != "budget":
        return None
    if turn.thinking_budget:
        return turn.thinking_budget
    wanted = [
        EFFORT_BUDGETS.get(turn.effort or ""),
        turn.sampling.max_tokens and turn.sampling.max_tokens // 2,
    ]
    return min((tokens for tokens in wanted if tokens), default=None)


def _must_not_think(turn: Turn, model: Model, seeded: bool) -> bool:
    if model.thinking != "budget":
        return False
    forced = bool(turn.tools) and turn.tool_choice.mode in ("any", "tool")
    return forced or (seeded and turn.messages[-1].content[0]["type"] == "tool_result")


def _should_not_think(turn: Turn, model: Model) -> bool:
    max_tokens = turn.sampling.max_tokens
    return (
        turn.thinking is False
        or (max_tokens is not None and max_tokens < 2 * MIN_BUDGET)
        or (not turn.thinking and _forbids_thinking(turn.sampling, model))
    )


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


def _stops(turn: Turn) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The stop sequences for the API, and those to watch for here: the API refuses white space and knows no schema."""
    if turn.output_schema is not None:
        return (), turn.sampling.stop
    blank = tuple(stop for stop in turn.sampling.stop if stop.isspace())
    return tuple(stop for stop in turn.sampling.stop if not stop.isspace()), blank


def _tool_choice(choice: ToolChoice) -> dict[str, Any]:
    """The request field; {} where the default says the same."""
    if choice.mode == "auto" and choice.parallel:
        return {}
    fields: dict[str, Any] = {"type": choice.mode}
    if choice.mode == "tool":
        fields["name"] = model_name(choice.name or "")
    if not choice.parallel and choice.mode != "none":
        fields["disable_parallel_tool_use"] = True
    return {"tool_choice": fields}


def _environment(sampling: Sampling, body: dict[str, Any]) -> dict[str, str]:
    """Both are always set: "" undoes what an earlier turn in the same process had set."""
    return {
        "CLAUDE_CODE_EXTRA_BODY": json.dumps(body) if body else "",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "" if sampling.max_tokens is None else str(sampling.max_tokens),
    }


def _effort(turn: Turn, model: Model, budget: int | None) -> str | None:
    if not model.efforts:
        return None
    if turn.effort:
        return _nearest(turn.effort, model.efforts)
    max_tokens = turn.sampling.max_tokens
    return (
        model.efforts[0] if max_tokens is not None and max_tokens < SMALL_MAX_TOKENS and budget != 0 else None
    )


def _nearest(wanted: str, efforts: tuple[str, ...]) -> str:
    """The highest effort of the model that is not above the wanted one; its lowest if all are."""
    below = [effort for effort in efforts if EFFORTS.index(effort) <= EFFORTS.index(wanted)]
    return below[-1] if below else efforts[0]
