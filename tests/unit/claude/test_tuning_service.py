"""The wishes of a turn about the API's service as settings of the CLI."""

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.claude.catalog import ModelCatalog
from gateway.claude.cli.tuning import Tuning
from gateway.serving import Serving
from gateway.turn import Model, Sampling, Tool
from tests.unit.claude.test_tuning import ADAPTIVE, BUDGET, extra, tuned

FAST = Model("claude-fast", fast_mode=True, context_window=1_000_000)
WIDE = ModelCatalog().widen(ModelCatalog().resolve("claude-sonnet-4-5"))


def test_long_cache_is_set_for_the_turns_that_ask_for_it() -> None:
    marked = (Tool("now", "", {"type": "object"}, {"cache_control": {"type": "ephemeral"}}),)
    short, long = tuned(ADAPTIVE, tools=marked), tuned(ADAPTIVE, tools=marked, serving=Serving(cache="1h"))

    def lasting(tuning: Tuning, earlier: Tuning | None) -> Any:
        return json.loads(json.dumps(tuning.requests(earlier)))[1]["settings"]["env"].get(
            "ENABLE_PROMPT_CACHING_1H"
        )

    assert (lasting(short, None), lasting(long, short), lasting(short, long)) == (None, "1", "")
    mark = long.body["tools"][0]["cache_control"]
    assert mark == {"type": "ephemeral", "ttl": "1h"}  # a longer mark must not come after a shorter one


@pytest.mark.parametrize(
    ("model", "wanted", "sent", "ignored"),
    [
        (FAST, Serving(fast=True), Serving(fast=True), ()),
        (ADAPTIVE, Serving(fast=True), Serving(), ("fast",)),
        (FAST, Serving(tier="standard_only"), Serving(tier="standard_only"), ()),
        (replace(FAST, service_tiers=False), Serving(tier="standard_only"), Serving(), ("service_tier",)),
        (FAST, Serving(wide_context=True), Serving(wide_context=True), ()),
        (WIDE, Serving(wide_context=True), Serving(wide_context=True), ()),
        (BUDGET, Serving(wide_context=True), Serving(wide_context=True), ("wide_context",)),
    ],
)
def test_wishes_about_service_are_sent_or_ignored_as_the_model_allows(
    model: Model, wanted: Serving, sent: Serving, ignored: tuple[str, ...]
) -> None:
    tuning = tuned(model, serving=wanted)
    assert (tuning.serving, tuning.ignored) == (sent, ignored)
    assert tuning.body.get("service_tier") == sent.tier


def settings_after(tuning: Tuning, earlier: Tuning | None) -> Any:
    return json.loads(json.dumps(tuning.requests(earlier)))[1]["settings"]


@pytest.mark.parametrize(
    ("wanted", "variable"),
    [
        (Serving(cache="5m"), "FORCE_PROMPT_CACHING_5M"),
        (Serving(cache="1h"), "ENABLE_PROMPT_CACHING_1H"),
        (Serving(cache="off"), "DISABLE_PROMPT_CACHING"),
    ],
)
def test_next_turn_undoes_the_cache_lifetime(wanted: Serving, variable: str) -> None:
    plain, tuning = tuned(FAST), tuned(FAST, serving=wanted)
    set_up, undone = settings_after(tuning, plain)["env"], settings_after(plain, tuning)["env"]
    assert (set_up[variable], undone[variable]) == ("1", "")


def test_next_turn_undoes_fast_mode() -> None:
    plain, tuning = tuned(FAST), tuned(FAST, serving=Serving(fast=True))
    set_up, undone = settings_after(tuning, None), settings_after(plain, tuning)
    assert (set_up["fastMode"], undone["fastMode"]) == (True, None)
    assert settings_after(plain, None).keys() == {"env", "effortLevel", "model"}


@pytest.mark.parametrize(
    ("model", "fields", "sent"),
    [
        (FAST, {}, {"type": "adaptive", "display": "omitted"}),
        (ADAPTIVE, {"thinking": False}, None),
        (BUDGET, {}, None),  # the CLI chooses the budget
        (
            BUDGET,
            {"thinking": True, "thinking_budget": 2000, "sampling": Sampling(9000)},
            {"type": "enabled", "budget_tokens": 2000, "display": "omitted"},
        ),
    ],
)
def test_hidden_thinking_is_left_out_by_the_api_if_it_can(
    model: Model, fields: dict[str, Any], sent: Any
) -> None:
    assert extra(tuned(model, serving=Serving(hides_thinking=True), **fields)).get("thinking") == sent
