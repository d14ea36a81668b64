"""Translate the parameters of a turn into settings of the CLI, for the model that answers.

Anthropic's API decides which parameters a model accepts; `models.json` has the properties of each model. The gateway
resolves the conflicts:

- `temperature` and a low `top_p` need thinking to be off. They turn it off, unless the client asked for thinking.
- `max_tokens` includes thinking. A small value turns thinking off, or lowers the effort of a model that always thinks.
- Models that think within a budget cannot think before a forced tool call. They cannot think after a seeded tool round
  either, unless the client sends the thinking before the calls back.

For example, `temperature` 0.2 for such a model gives a thinking budget of 0 and the setting
`{"env": {"CLAUDE_CODE_EXTRA_BODY": '{"temperature":0.2}', …}, …}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.claude.cli.protocol import ControlRequest, FlagSettings
from gateway.claude.cli.tools import ToolSet, output_tool, tool_set
from gateway.claude.model_names import WIDE, WIDE_WINDOW
from gateway.json_schema import OutputSchema, fit_one_grammar
from gateway.lenient_json import dumps
from gateway.serving import CacheLifetime, Serving
from gateway.turn import EFFORTS, MIN_THINKING_BUDGET, THINKING, Model, Sampling, ToolChoice, Turn

SMALL_MAX_TOKENS = 4096  # below this a model that always thinks gets its lowest effort
MIN_TOP_P_THINKING = 0.95
MAX_STRICT_TOOLS = (
    20  # https://platform.claude.com/docs/en/build-with-claude/structured-outputs#schema-complexity-limits
)
MAX_OUTPUT_TOKENS = 128_000  # the CLI sends no more for models whose limit it does not know
# Thinking budgets in tokens for models without efforts. Higher efforts leave the budget to the CLI.
EFFORT_BUDGETS = {"low": 4096, "medium": 16384}
LONG_TTL = "1h"
CACHE_VARIABLES: dict[CacheLifetime, str] = {
    "5m": "FORCE_PROMPT_CACHING_5M",
    "1h": "ENABLE_PROMPT_CACHING_1H",
    "off": "DISABLE_PROMPT_CACHING",
}
# The edits of the prompt that the CLI asks for if the model thinks.
CLI_EDITS = [{"type": "clear_thinking_20251015", "keep": "all"}]


@dataclass(frozen=True, slots=True)
class Tuning:
    """The parameters of one turn on one model.

    - `model` and `effort` can be None: the CLI's default model, and the model's default effort.
    - `body` has the fields that are laid over the API request, the client's tools among them.
    - `thinking_budget` is in tokens: None leaves it to the CLI, 0 turns thinking off.
    - `output` is the schema that the answer must follow.
    - `stops` are the stop sequences that the gateway itself must watch for.
    - `sampling` and `ignored` name the sampling parameters that are sent, and all parameters that are left out.
    - `serving` has the wishes about the API's service, as far as the model takes them.
    """

    model: str | None
    effort: str | None
    max_tokens: int | None
    body: Mapping[str, Any]
    thinking_budget: int | None
    output: OutputSchema | None
    stops: tuple[str, ...]
    sampling: tuple[str, ...]
    ignored: tuple[str, ...]
    serving: Serving = field(default_factory=Serving)

    def requests(self, earlier: Tuning | None = None) -> list[ControlRequest]:
        """Return the control requests that set everything and undo the settings of an earlier turn."""
        return [
            {
                "subtype": "set_max_thinking_tokens",
                "max_thinking_tokens": self.thinking_budget,
                "thinking_display": "summarized",
            },
            {"subtype": "apply_flag_settings", "settings": self._settings(earlier)},
        ]

    def _settings(self, earlier: Tuning | None) -> FlagSettings:
        """Return the CLI's settings. "" undoes a variable, and the large one is sent only if it has changed."""
        env = {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "" if self.max_tokens is None else str(self.max_tokens)}
        before = Serving() if earlier is None else earlier.serving
        if before.cache:
            env[CACHE_VARIABLES[before.cache]] = ""
        if self.serving.cache:
            env[CACHE_VARIABLES[self.serving.cache]] = "1"
        if earlier is None or earlier.body != self.body:
            env["CLAUDE_CODE_EXTRA_BODY"] = dumps(self.body).decode() if self.body else ""
        settings: FlagSettings = {"env": env, "effortLevel": self.effort, "model": self.model}
        if self.serving.fast or before.fast:
            settings["fastMode"] = self.serving.fast or None
        return settings


def tune(
    turn: Turn, model: Model, *, is_seeded: bool, is_strict: bool = True, cache_ttl: str | None = None
) -> Tuning:
    """Return the settings for `turn` on `model`.

    `is_seeded` says that the process did not write the history itself. `is_strict` and
    `cache_ttl` are described at `ToolSet.definitions`.
    """
    turn, is_limited = _limit_tokens(turn, model)
    budget = _thinking_budget(turn, model, is_seeded)
    sampling, ignored = _split_sampling(turn.sampling, model, thinks=budget != 0 and model.thinking != "none")
    if turn.thinking_budget and model.thinking != "budget":
        ignored += ("thinking_budget",)
    if is_limited:
        ignored += ("max_tokens",)
    serving, unserved = _split_serving(turn.serving, model)
    ignored += unserved
    sent_stops, watched_stops = _split_stops(turn)
    body: dict[str, Any] = {**sampling}
    if serving.tier:
        body["service_tier"] = serving.tier
    if serving.hides_thinking:
        body |= _hidden_thinking(turn, model, budget)
    if sent_stops:
        body["stop_sequences"] = list(sent_stops)
    if turn.output_format is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": turn.output_format}}
    edits, dropped_edits = _split_edits(turn, model, thinks=budget != 0)
    ignored += dropped_edits
    if edits not in ([], CLI_EDITS):
        body["context_management"] = {"edits": edits}
    if turn.tools or turn.hosted_tools:
        ttl = _choose_ttl(serving, cache_ttl)
        tool_fields, dropped = _tool_fields(turn, model, ttl, is_strict=is_strict)
        body |= tool_fields
        ignored += dropped
    return Tuning(
        model=model_setting(model),
        effort=_effort(turn, model, budget),
        max_tokens=turn.sampling.max_tokens,
        body=body,
        thinking_budget=budget,
        output=turn.output_schema,
        stops=watched_stops,
        sampling=tuple(sampling),
        ignored=ignored,
        serving=serving,
    )


def model_setting(model: Model) -> str | None:
    """Return the model as the CLI's setting; None for the CLI's default."""
    return None if model.id == "default" else model.id


def _limit_tokens(turn: Turn, model: Model) -> tuple[Turn, bool]:
    """Return the turn with at most the tokens that the model can write, because the API rejects more."""
    most = model.max_tokens or MAX_OUTPUT_TOKENS
    if (turn.sampling.max_tokens or 0) <= most:
        return turn, False
    return replace(turn, sampling=replace(turn.sampling, max_tokens=most)), True


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
    is_forced = bool(turn.tools or turn.hosted_tools) and turn.tool_choice.mode in ("any", "tool")
    return is_forced or (is_seeded and _lacks_thinking(turn))


def _lacks_thinking(turn: Turn) -> bool:
    """Return True for the results of tools whose calls don't come with the thinking before them."""
    if turn.messages[-1].content[0]["type"] != "tool_result":
        return False
    return not any(calls.content[0]["type"] in THINKING for calls in turn.messages[-2:-1])


def _should_not_think(turn: Turn, model: Model) -> bool:
    max_tokens = turn.sampling.max_tokens
    return (
        turn.thinking is False
        or (max_tokens is not None and max_tokens < 2 * MIN_THINKING_BUDGET)
        or (not turn.thinking and _forbids_thinking(turn.sampling, model))
    )


def _forbids_thinking(sampling: Sampling, model: Model) -> bool:
    """Return True if the model would take a sampling parameter that cannot be combined with thinking."""
    if sampling.temperature not in (None, 1) or sampling.top_k is not None:
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
    if sampling.top_k is not None:
        wanted["top_k"] = sampling.top_k
    sent = {name: value for name, value in wanted.items() if _is_accepted(model, name, value, wanted, thinks)}
    return sent, tuple(name for name in wanted if name not in sent)


def _is_accepted(model: Model, name: str, value: float, wanted: dict[str, float], thinks: bool) -> bool:
    if model.sampling == "none":
        return False
    if thinks:
        return name == "top_p" and value >= MIN_TOP_P_THINKING and "temperature" not in wanted
    if name != "top_p":
        return True
    return model.sampling == "both"  # with thinking off the CLI sends a temperature too


def _split_serving(wanted: Serving, model: Model) -> tuple[Serving, tuple[str, ...]]:
    """Return the wishes about the API's service that the model takes, and the names of the others."""
    has_width = model.id.endswith(WIDE) or (model.context_window or 0) >= WIDE_WINDOW
    ignored = {
        "fast": wanted.fast and not model.fast_mode,
        "service_tier": wanted.tier is not None and not model.service_tiers,
        "wide_context": wanted.wide_context and not has_width,
    }
    if not any(ignored.values()):
        return wanted, ()
    sent = replace(
        wanted,
        fast=wanted.fast and model.fast_mode,
        tier=wanted.tier if model.service_tiers else None,
    )
    return sent, tuple(name for name, is_ignored in ignored.items() if is_ignored)


def _hidden_thinking(turn: Turn, model: Model, budget: int | None) -> dict[str, Any]:
    """Return the field that keeps the API from sending the text of thinking, if its other values are known.

    The CLI itself would ask for another kind of text. Without the field, the reader of the answer drops the text.
    """
    if model.thinking == "adaptive" and budget is None:
        return {"thinking": {"type": "adaptive", "display": "omitted"}}
    if budget and budget < (turn.sampling.max_tokens or 0):
        return {"thinking": {"type": "enabled", "budget_tokens": budget, "display": "omitted"}}
    return {}


def _choose_ttl(serving: Serving, cache_ttl: str | None) -> str | None:
    """Return the lifetime of the client's own cache marks, which must last as long as the CLI's."""
    if serving.cache == "1h":
        return LONG_TTL
    return None if serving.cache == "5m" else cache_ttl


def _split_stops(turn: Turn) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the stop sequences for the API, and those to watch for in the gateway.

    The API rejects stop sequences of white space and knows none in the input of a tool, such as the one for output.
    """
    if turn.output_tool_schema is not None:
        return (), turn.sampling.stop
    blank = tuple(stop for stop in turn.sampling.stop if stop.isspace())
    return tuple(stop for stop in turn.sampling.stop if not stop.isspace()), blank


def _tool_fields(
    turn: Turn, model: Model, cache_ttl: str | None, *, is_strict: bool
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the definitions of all tools and the choice among them, and the parameters left out.

    The list replaces all of the CLI's tools, so it must include the one for structured output.
    """
    tools, choice = tool_set(turn), turn.tool_choice
    ignored: tuple[str, ...] = ()
    is_strict = is_strict and _takes_strict(turn, model)
    if not is_strict and any("strict" in tool.options for tool in turn.tools):
        ignored += ("tools.strict",)
    if not model.forced_tools and choice.mode in ("any", "tool"):
        choice = replace(choice, mode="auto", name=None, is_hosted=False)
        ignored += ("tool_choice",)
    fields: dict[str, Any] = {"tools": tools.definitions(is_strict=is_strict, cache_ttl=cache_ttl)}
    if turn.output_tool_schema is not None:
        fields["tools"].append(output_tool(turn.output_tool_schema))
    fields["tools"] += [dict(tool.definition) for tool in turn.hosted_tools]
    if chosen := _choice(choice, tools):
        fields["tool_choice"] = chosen
    return fields, ignored


def _split_edits(turn: Turn, model: Model, *, thinks: bool) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the context edits to send, and the name of the parameter if some are left out.

    The API clears thinking only if the model thinks in this turn.
    """
    thinks = thinks and model.thinking != "none"
    edits = [dict(edit) for edit in turn.context_edits]
    sent = [edit for edit in edits if thinks or not edit["type"].startswith("clear_thinking_")]
    return sent, () if sent == edits or edits == CLI_EDITS else ("context_management",)


def _takes_strict(turn: Turn, model: Model) -> bool:
    """Return True if the API would compile a grammar for the strict tools and the output of this turn."""
    schemas = [tool.input_schema for tool in turn.tools if "strict" in tool.options]
    if not model.structured_outputs or len(schemas) > MAX_STRICT_TOOLS:
        return False
    return fit_one_grammar(schemas if turn.output_format is None else [*schemas, turn.output_format])


def _choice(choice: ToolChoice, tools: ToolSet) -> dict[str, Any]:
    """Return the choice in the API's form, or {} for the default."""
    if choice.mode == "auto" and choice.parallel:
        return {}
    fields: dict[str, Any] = {"type": choice.mode}
    if choice.mode == "tool":
        fields["name"] = choice.name if choice.is_hosted else tools.model_name(choice.name or "")
    if not choice.parallel and choice.mode != "none":
        fields["disable_parallel_tool_use"] = True
    return fields


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
