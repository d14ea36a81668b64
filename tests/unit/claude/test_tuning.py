"""The parameters of a turn as settings of the CLI, for each kind of model.

tests/model/test_parameters.py sends some of them through the real CLI.
"""

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.claude.catalog import ModelCatalog
from gateway.claude.cli.tuning import Tuning, tune
from gateway.json_schema import adapt_output_schema
from gateway.turn import Message, Model, Sampling, Tool, ToolChoice, Turn

ALWAYS_THINKS = Model("claude-new", thinking_off=False, sampling="none", efforts=("low", "high", "xhigh"))
ADAPTIVE = ModelCatalog().resolve("claude-opus-4-6")
BUDGET = ModelCatalog().resolve("claude-haiku-4-5")
TAKES_BOTH = ModelCatalog().resolve("claude-sonnet-4-20250514")
NO_THINKING = ModelCatalog().resolve("claude-3-5-haiku-20241022")

QUESTION = Message("user", ({"type": "text", "text": "hi"},))
RESULT = Message("user", ({"type": "tool_result", "tool_use_id": "t", "content": "r"},))
TOOLS = (Tool("now", "", {"type": "object"}),)


def tuned(model: Model, *, is_seeded: bool = True, asked: Message = QUESTION, **fields: Any) -> Tuning:
    return tune(Turn((asked,), **fields), model, is_seeded=is_seeded)


def extra(tuning: Tuning) -> dict[str, Any]:
    """Return the fields that are laid over the API request, except for the tools."""
    return {name: value for name, value in tuning.body.items() if name != "tools"}


@pytest.mark.parametrize(
    ("model", "sampling", "sent", "ignored"),
    [
        (ALWAYS_THINKS, Sampling(temperature=0), {}, ("temperature",)),
        (ALWAYS_THINKS, Sampling(temperature=0.2, top_p=0.9), {}, ("temperature", "top_p")),
        (ALWAYS_THINKS, Sampling(temperature=1, top_p=1), {}, ()),
        (ADAPTIVE, Sampling(temperature=0), {"temperature": 0}, ()),
        (ADAPTIVE, Sampling(temperature=0.2, top_p=0.9), {"temperature": 0.2}, ("top_p",)),
        (ADAPTIVE, Sampling(temperature=1), {}, ()),
        (ADAPTIVE, Sampling(top_p=0.97), {"top_p": 0.97}, ()),
        (BUDGET, Sampling(temperature=0.2), {"temperature": 0.2}, ()),
        (BUDGET, Sampling(temperature=0.2, top_p=1), {"temperature": 0.2}, ()),
        (BUDGET, Sampling(top_p=0.5), {}, ("top_p",)),
        (BUDGET, Sampling(top_p=0.97), {"top_p": 0.97}, ()),
        (BUDGET, Sampling(), {}, ()),
        (TAKES_BOTH, Sampling(temperature=0.2, top_p=0.9), {"temperature": 0.2, "top_p": 0.9}, ()),
        (TAKES_BOTH, Sampling(top_p=0.9), {"top_p": 0.9}, ()),
        (BUDGET, Sampling(500, temperature=0), {"temperature": 0}, ()),
        (NO_THINKING, Sampling(temperature=1, top_p=0.5), {"top_p": 0.5}, ()),
        (NO_THINKING, Sampling(temperature=0), {"temperature": 0}, ()),
        (NO_THINKING, Sampling(top_p=0.5), {"top_p": 0.5}, ()),
        (NO_THINKING, Sampling(top_k=40), {"top_k": 40}, ()),
        (BUDGET, Sampling(top_k=40), {"top_k": 40}, ()),
        (ALWAYS_THINKS, Sampling(top_k=40), {}, ("top_k",)),
    ],
)
def test_sampling_parameters_are_sent_or_ignored_as_the_model_allows(
    model: Model, sampling: Sampling, sent: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    tuning = tuned(model, sampling=sampling)

    assert (extra(tuning), tuning.ignored) == (sent, ignored)


@pytest.mark.parametrize(
    ("model", "limit", "budget", "effort"),
    [
        (ALWAYS_THINKS, None, None, None),
        (ALWAYS_THINKS, 1, None, "low"),
        (ALWAYS_THINKS, 500, None, "low"),
        (ALWAYS_THINKS, 4096, None, None),
        (ADAPTIVE, 500, 0, None),
        (ADAPTIVE, 3000, None, "low"),
        (BUDGET, None, None, None),
        (BUDGET, 1, 0, None),
        (BUDGET, 2047, 0, None),
        (BUDGET, 2048, 1024, None),
        (BUDGET, 9000, 4500, None),
        (NO_THINKING, 500, None, None),
    ],
)
def test_max_tokens_leave_room_for_an_answer(
    model: Model, limit: int | None, budget: int | None, effort: str | None
) -> None:
    tuning = tuned(model, sampling=Sampling(max_tokens=limit))

    assert (tuning.thinking_budget, tuning.effort) == (budget, effort)
    assert tuning.max_tokens == limit


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "budget", "sent"),
    [
        (ALWAYS_THINKS, "medium", True, None, "low"),
        (ALWAYS_THINKS, "max", True, None, "xhigh"),
        (ALWAYS_THINKS, "low", False, None, "low"),
        (ADAPTIVE, "xhigh", True, None, "high"),
        (ADAPTIVE, "low", False, 0, "low"),
        (BUDGET, "low", True, 4096, None),
        (BUDGET, "medium", True, 16384, None),
        (BUDGET, "high", True, None, None),
        (BUDGET, "low", False, 0, None),
        (NO_THINKING, "high", True, None, None),
    ],
)
def test_effort_becomes_the_nearest_effort_or_a_thinking_budget(
    model: Model, effort: str, thinking: bool, budget: int | None, sent: str | None
) -> None:
    tuning = tuned(model, effort=effort, thinking=thinking)

    assert (tuning.thinking_budget, tuning.effort) == (budget, sent)


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (ToolChoice(), {}),
        (ToolChoice("none"), {"type": "none"}),
        (ToolChoice("none", parallel=False), {"type": "none"}),
        (ToolChoice("any"), {"type": "any"}),
        (ToolChoice("tool", "now"), {"type": "tool", "name": "now"}),
        (ToolChoice(parallel=False), {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("any", parallel=False), {"type": "any", "disable_parallel_tool_use": True}),
        (
            ToolChoice("tool", "now", parallel=False),
            {"type": "tool", "name": "now", "disable_parallel_tool_use": True},
        ),
    ],
)
def test_tool_choice_is_sent_only_with_tools(choice: ToolChoice, sent: dict[str, Any]) -> None:
    assert extra(tuned(BUDGET, tools=TOOLS, tool_choice=choice)).get("tool_choice", {}) == sent
    assert extra(tuned(BUDGET, tool_choice=choice)) == {}


def definitions(count: int, **options: Any) -> list[dict[str, Any]]:
    """Return the definitions that are sent for tools with these options, after one without any."""
    marked = tuple(Tool(f"t{index}", "d", {"type": "object"}, options) for index in range(count))
    sent: list[dict[str, Any]] = tuned(BUDGET, tools=(*TOOLS, *marked)).body["tools"]
    return sent


def test_definitions_are_sent_as_the_client_wrote_them() -> None:
    assert definitions(1, strict=True, defer_loading=True) == [
        {"name": "now", "input_schema": {"type": "object"}},
        {
            "name": "t0",
            "description": "d",
            "input_schema": {"type": "object"},
            "strict": True,
            "defer_loading": True,
        },
    ]


def test_structured_output_adds_the_clis_own_tool() -> None:
    *_, last = tuned(BUDGET, tools=TOOLS, output_schema=adapt_output_schema({})).body["tools"]
    assert (last["name"], last["input_schema"]) == ("StructuredOutput", {"type": "object"})


@pytest.mark.parametrize("is_native", [True, False])
def test_format_is_sent_to_models_with_structured_outputs(is_native: bool) -> None:
    schema = adapt_output_schema({"type": "object", "properties": {"a": {"type": "string"}}})
    model = replace(BUDGET, structured_outputs=is_native)
    turn = Turn((QUESTION,), model=model, output_schema=schema)
    body = tune(turn, model, is_seeded=False).body
    expected = {"output_config": {"format": {"type": "json_schema", "schema": schema.format}}}
    assert body == (expected if is_native else {})
    assert turn.output_tool_schema == (None if is_native else schema.tool)


def test_one_cache_mark_is_sent_and_lasts_as_long_as_the_clis() -> None:
    # https://github.com/agno-agi/agno/pull/8406
    mark = {"type": "ephemeral"}
    assert [tool.get("cache_control") for tool in definitions(3, cache_control=mark)] == [
        None,
        None,
        None,
        mark,
    ]
    turn = Turn((QUESTION,), tools=(Tool("t", "", {}, {"cache_control": mark}),))
    (tool,) = tune(turn, BUDGET, is_seeded=True, cache_ttl="1h").body["tools"]
    assert tool["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


def test_too_many_strict_tools_are_not_strict() -> None:
    # https://github.com/elizaOS/eliza/issues/16499
    assert [tool.get("strict") for tool in definitions(20, strict=True)[1:]] == [True] * 20
    assert [tool.get("strict") for tool in definitions(21, strict=True)[1:]] == [None] * 21
    strict = tuple(Tool(f"t{index}", "", {}, {"strict": True}) for index in range(21))
    assert tuned(BUDGET, tools=strict).ignored == ("tools.strict",)
    assert tuned(BUDGET, tools=strict[:1]).ignored == ()
    assert tuned(NO_THINKING, tools=strict[:1]).ignored == ("tools.strict",)


def test_strict_tools_beyond_one_grammar_are_not_strict() -> None:
    # https://github.com/alphaXiv/agents/pull/51
    def strict(count: int) -> tuple[Tool, ...]:
        schema = {"type": "object", "properties": {f"p{index}": {"type": "string"} for index in range(12)}}
        return tuple(Tool(f"t{index}", "", schema, {"strict": True}) for index in range(count))

    assert tuned(BUDGET, tools=strict(2)).ignored == ()
    assert tuned(BUDGET, tools=strict(3)).ignored == ("tools.strict",)
    assert tuned(replace(BUDGET, structured_outputs=False), tools=strict(1)).ignored == ("tools.strict",)


def test_tools_to_be_loaded_later_have_no_mark_and_are_not_alone() -> None:
    # https://github.com/anthropics/claude-code/issues/30920 and https://github.com/microsoft/vscode/issues/311946
    later = Tool("a", "", {}, {"defer_loading": True, "cache_control": {"type": "ephemeral"}})
    first, second = tuned(BUDGET, tools=(later, Tool("b", "", {}))).body["tools"]
    assert first == {"name": "a", "input_schema": {}, "defer_loading": True}
    assert "defer_loading" not in second
    (alone,) = tuned(BUDGET, tools=(later,)).body["tools"]
    assert "defer_loading" not in alone


@pytest.mark.parametrize("choice", [ToolChoice("any"), ToolChoice("tool", "get_weather", parallel=False)])
def test_forced_choice_is_free_where_the_model_rejects_it(choice: ToolChoice) -> None:
    # https://github.com/vercel/ai/issues/21364
    free = tuned(replace(ALWAYS_THINKS, forced_tools=False), tools=TOOLS, tool_choice=choice)
    assert free.body.get("tool_choice", {"type": "auto"})["type"] == "auto"
    assert free.ignored == ("tool_choice",)
    assert tuned(ALWAYS_THINKS, tools=TOOLS, tool_choice=choice).ignored == ()


def test_tools_are_sent_again_only_if_something_has_changed() -> None:
    def variables(turn: Tuning, earlier: Tuning | None) -> dict[str, str]:
        _, request = turn.requests(earlier)
        assert request["subtype"] == "apply_flag_settings"
        return request["settings"]["env"]

    first, same = tuned(BUDGET, tools=TOOLS), tuned(BUDGET, tools=TOOLS, sampling=Sampling(9000))
    other, none = tuned(BUDGET, tools=TOOLS, tool_choice=ToolChoice("none")), tuned(BUDGET)
    assert json.loads(variables(first, None)["CLAUDE_CODE_EXTRA_BODY"]) == first.body
    assert variables(same, first) == {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "9000"}
    assert json.loads(variables(other, same)["CLAUDE_CODE_EXTRA_BODY"]) == other.body
    assert variables(none, other)["CLAUDE_CODE_EXTRA_BODY"] == ""


@pytest.mark.parametrize(
    ("model", "budget"), [(BUDGET, 0), (ADAPTIVE, None), (ALWAYS_THINKS, None), (NO_THINKING, None)]
)
def test_thinking_budget_is_off_if_the_api_wants_earlier_thinking_back(
    model: Model, budget: int | None
) -> None:
    assert tuned(model, asked=RESULT).thinking_budget == budget
    assert tuned(model, asked=RESULT, is_seeded=False).thinking_budget is None
    assert tuned(model, tools=TOOLS, tool_choice=ToolChoice("any")).thinking_budget == budget


@pytest.mark.parametrize(
    ("model", "budget", "ignored"), [(BUDGET, 2000, ()), (ADAPTIVE, None, ("thinking_budget",))]
)
def test_explicit_thinking_budget_is_ignored_by_models_without_budgets(
    model: Model, budget: int | None, ignored: tuple[str, ...]
) -> None:
    tuning = tuned(model, thinking=True, thinking_budget=2000)

    assert (tuning.thinking_budget, tuning.ignored) == (budget, ignored)


@pytest.mark.parametrize(
    ("model", "wanted", "sent"),
    [
        (NO_THINKING, 10**6, NO_THINKING.max_tokens),
        (NO_THINKING, NO_THINKING.max_tokens, NO_THINKING.max_tokens),
        (Model("claude-new-1"), 10**6, 128_000),
        (BUDGET, None, None),
    ],
)
def test_model_gets_no_higher_limit_than_it_can_write(
    model: Model, wanted: int | None, sent: int | None
) -> None:
    tuning = tuned(model, sampling=Sampling(wanted))
    assert tuning.max_tokens == sent
    assert tuning.ignored == (("max_tokens",) if sent != wanted else ())


def test_requested_thinking_wins_over_the_temperature() -> None:
    tuning = tuned(BUDGET, thinking=True, sampling=Sampling(temperature=0.2))

    assert (extra(tuning), tuning.ignored, tuning.thinking_budget) == ({}, ("temperature",), None)


def test_gateway_watches_for_stop_sequences_that_the_api_rejects() -> None:
    sampling = Sampling(stop=("END", "\n\n"))
    spoken = tuned(BUDGET, sampling=sampling)
    structured = tuned(BUDGET, sampling=sampling, output_schema=adapt_output_schema({}))

    assert (extra(spoken), spoken.stops) == ({"stop_sequences": ["END"]}, ("\n\n",))
    assert (extra(structured), structured.stops) == ({}, ("END", "\n\n"))


def test_default_model_is_chosen_by_the_cli() -> None:
    assert tuned(Model("default")).model is None
    assert tuned(BUDGET).model == BUDGET.id


CLEAR_TOOLS = {"type": "clear_tool_uses_20250919", "trigger": {"type": "input_tokens", "value": 50000}}
KEEP_THINKING = {"type": "clear_thinking_20251015", "keep": "all"}


@pytest.mark.parametrize(
    ("model", "thinking", "edits", "sent", "ignored"),
    [
        (ALWAYS_THINKS, None, (CLEAR_TOOLS,), [CLEAR_TOOLS], ()),
        (ADAPTIVE, True, (KEEP_THINKING, CLEAR_TOOLS), [KEEP_THINKING, CLEAR_TOOLS], ()),
        (ADAPTIVE, True, (KEEP_THINKING,), None, ()),  # the CLI asks for it, too
        (ADAPTIVE, False, (KEEP_THINKING,), None, ()),  # nothing to keep
        (
            ADAPTIVE,
            False,
            ({**KEEP_THINKING, "keep": 2}, CLEAR_TOOLS),
            [CLEAR_TOOLS],
            ("context_management",),
        ),
        (NO_THINKING, None, (CLEAR_TOOLS,), [CLEAR_TOOLS], ()),
    ],
)
def test_context_edits_are_sent_if_the_model_can_make_them(
    model: Model, thinking: bool | None, edits: Any, sent: Any, ignored: tuple[str, ...]
) -> None:
    """Source: https://platform.claude.com/docs/en/build-with-claude/context-editing."""
    tuning = tuned(model, thinking=thinking, context_edits=edits)
    assert (extra(tuning).get("context_management", {}).get("edits"), tuning.ignored) == (sent, ignored)
