"""Translate the parameters of a turn into settings of the CLI, for the model that answers.

Anthropic's API decides which parameters a model accepts; `models.json` has the properties of each model. The gateway
resolves the conflicts:

- `temperature` and a low `top_p` need thinking to be off. They turn it off, unless the client asked for thinking.
- `max_tokens` includes thinking. A small value turns thinking off, or lowers the effort of a model that always thinks.
- Models that think within a budget cannot think before a forced tool call. They cannot think after a seeded tool round
  either: they need their earlier thinking back, and the CLI drops it from seeded messages.

For example, `temperature` 0.2 for such a model gives a thinking budget of 0 and the setting
`{"env": {"CLAUDE_CODE_EXTRA_BODY": '{"temperature": 0.2}', …}, …}`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.claude.cli.protocol import ControlRequest, FlagSettings
from gateway.claude.cli.tools import model_name
from gateway.turn import EFFORTS, MIN_THINKING_BUDGET, Model, Sampling, ToolChoice, Turn

SMALL_MAX_TOKENS = 4096  # below this a model that always thinks gets its lowest effort
MIN_TOP_P_THINKING = 0.95
# Thinking budgets in tokens for models without efforts. Higher efforts leave the budget to the CLI.
EFFORT_BUDGETS = {"low": 4096, "medium": 16384}


@dataclass(frozen=True, slots=True)
class Tuning:
    """The parameters of one turn on one model.

    `thinking_budget` is in tokens: None leaves it to the CLI, 0 turns thinking off. `stops` are the stop sequences that
    the gateway itself must watch for. `sampling` and `ignored` name the sampling parameters that are sent, and all
    parameters that are left out.
    """

    settings: FlagSettings
    thinking_budget: int | None
    stops: tuple[str, ...]
    sampling: tuple[str, ...]
    ignored: tuple[str, ...]

    def requests(self) -> list[ControlRequest]:
        """Return the control requests that set everything and undo all settings of an earlier turn."""
        return [
            {
                "subtype": "set_max_thinking_tokens",
                "max_thinking_tokens": self.thinking_budget,
                "thinking_display": "summarized",
            },
            {"subtype": "apply_flag_settings", "settings": self.settings},
        ]


def tune(turn: Turn, model: Model, *, is_seeded: bool) -> Tuning:
    """Return the settings for `turn` on `model`.

    `is_seeded` says that the process did not write the history itself.
    """
    budget = _thinking_budget(turn, model, is_seeded)
    sampling, ignored = _split_sampling(turn.sampling, model, thinks=budget != 0 and model.thinking != "none")
    if turn.thinking_budget and model.thinking != "budget":
        ignored += ("thinking_budget",)
    sent_stops, watched_stops = _split_stops(turn)
    body: dict[str, Any] = {**sampling}
    if sent_stops:
        body["stop_sequences"] = list(sent_stops)
    if turn.tools:
        body |= _tool_choice_fields(turn.tool_choice)
    settings: FlagSettings = {
        "env": _environment(turn.sampling, body),
        "effortLevel": _effort(turn, model, budget),
    }
    if model.id != "default":
        settings["model"] = model.id
    return Tuning(settings, budget, watched_stops, tuple(sampling), ignored)


def _thinking_budget(turn: Turn, model: Model, is_seeded: bool) -> int | None:
    if model.thinking == "none":
        return None
    if _cannot_think(turn, model, is_seeded) or (model.thinking_off and _should_not_think(turn, model)):
        return 0
    if model.thinking != "budget":
        return None
    if turn.thinking_budget:
        return turn.thinking_budget
    limits = [
        EFFORT_BUDGETS.get(turn.effort or ""),
        turn.sampling.max_tokens and turn.sampling.max_tokens // 2,
    ]
    return min((tokens for tokens in limits if tokens), default=None)


def _cannot_think(turn: Turn, model: Model, is_seeded: bool) -> bool:
    if model.thinking != "budget":
        return False
    is_forced = bool(turn.tools) and turn.tool_choice.mode in ("any", "tool")
    return is_forced or (is_seeded and turn.messages[-1].content[0]["type"] == "tool_result")


def _should_not_think(turn: Turn, model: Model) -> bool:
    max_tokens = turn.sampling.max_tokens
    return (
        turn.thinking is False
        or (max_tokens is not None and max_tokens < 2 * MIN_THINKING_BUDGET)
        or (not turn.thinking and _forbids_thinking(turn.sampling, model))
    )


def _forbids_thinking(sampling: Sampling, model: Model) -> bool:
    """Return True if the model would take a sampling parameter that cannot be combined with thinking."""
    if sampling.temperature not in (None, 1):
        return model.sampling != "none"
    return sampling.top_p is not None and sampling.top_p < MIN_TOP_P_THINKING and model.sampling == "both"


def _split_sampling(
    sampling: Sampling, model: Model, *, thinks: bool
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Return the sampling parameters to send, and the names of those that the model rejects.

    The value 1 is the default of every model, so it is never sent.
    """
    wanted = {
        name: value
        for name, value in (("temperature", sampling.temperature), ("top_p", sampling.top_p))
        if value is not None and value != 1
    }
    sent = {name: value for name, value in wanted.items() if _is_accepted(model, name, value, wanted, thinks)}
    return sent, tuple(name for name in wanted if name not in sent)


def _is_accepted(model: Model, name: str, value: float, wanted: dict[str, float], thinks: bool) -> bool:
    if model.sampling == "none":
        return False
    if thinks:
        return name == "top_p" and value >= MIN_TOP_P_THINKING and "temperature" not in wanted
    if name == "temperature":
        return True
    return model.sampling == "both"  # with thinking off the CLI sends a temperature too


def _split_stops(turn: Turn) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the stop sequences for the API, and those to watch for in the gateway.

    The API rejects stop sequences of white space and knows none in structured output.
    """
    if turn.output_schema is not None:
        return (), turn.sampling.stop
    blank = tuple(stop for stop in turn.sampling.stop if stop.isspace())
    return tuple(stop for stop in turn.sampling.stop if not stop.isspace()), blank


def _tool_choice_fields(choice: ToolChoice) -> dict[str, Any]:
    """Return the field of the API request, or {} for the default."""
    if choice.mode == "auto" and choice.parallel:
        return {}
    fields: dict[str, Any] = {"type": choice.mode}
    if choice.mode == "tool":
        fields["name"] = model_name(choice.name or "")
    if not choice.parallel and choice.mode != "none":
        fields["disable_parallel_tool_use"] = True
    return {"tool_choice": fields}


def _environment(sampling: Sampling, body: dict[str, Any]) -> dict[str, str]:
    """Return both variables always, because "" undoes the value of an earlier turn in the same process."""
    return {
        "CLAUDE_CODE_EXTRA_BODY": json.dumps(body) if body else "",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "" if sampling.max_tokens is None else str(sampling.max_tokens),
    }


def _effort(turn: Turn, model: Model, budget: int | None) -> str | None:
    if not model.efforts:
        return None
    if turn.effort:
        return _nearest_effort(turn.effort, model.efforts)
    max_tokens = turn.sampling.max_tokens
    if max_tokens is not None and max_tokens < SMALL_MAX_TOKENS and budget != 0:
        return model.efforts[0]
    return None


def _nearest_effort(wanted: str, efforts: Sequence[str]) -> str:
    """Return the model's highest effort that is not above the wanted one, or its lowest if all are above."""
    lower = [effort for effort in efforts if EFFORTS.index(effort) <= EFFORTS.index(wanted)]
    return lower[-1] if lower else efforts[0]
