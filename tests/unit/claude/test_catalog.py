"""The catalog of models resolves the names that clients send."""

import pytest

from gateway.claude.catalog import ModelCatalog, lifecycle
from gateway.turn import Model, Usage


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("claude-opus-4-6", "claude-opus-4-6-20260205"),
        ("claude-haiku-4-5", "claude-haiku-4-5-20251001"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku-20241022"),
        ("claude-opus-7-1", "claude-opus-7-1"),
    ],
)
def test_model_name_resolves_to_its_id(name: str, model: str) -> None:
    assert ModelCatalog().resolve(name).id == model


def test_models_of_the_cli_are_listed_first_with_facts_that_it_does_not_report() -> None:
    catalog = ModelCatalog()
    catalog.merge(
        [
            {"value": "default", "resolvedModel": "claude-opus-5-5", "description": "$4/$20 per Mtok"},
            {"value": "haiku", "resolvedModel": "claude-haiku-4-5-20251001"},
            {"value": "new", "resolvedModel": "claude-new-9"},
        ]
    )
    first, second, third, *_, last = catalog.all()
    assert [first.id, second.id, third.id] == [
        "claude-opus-5-5",
        "claude-haiku-4-5-20251001",
        "claude-new-9",
    ]
    assert (first.context_window, first.max_tokens, first.cache_read_factor) == (1_000_000, 128_000, 0.05)
    assert (third.context_window, third.max_tokens) == (None, None)
    assert lifecycle(last) == "retired"


@pytest.mark.parametrize(
    ("date", "stage"), [("", "active"), ("2026-01-01", "retired"), ("9999-01-01", "deprecated")]
)
def test_stage_of_a_model_follows_from_its_date(date: str, stage: str) -> None:
    assert lifecycle(Model("claude-x", retires_at=date)) == stage


def test_long_prompts_and_long_caches_cost_more() -> None:
    """The CLI's own figures for Haiku 5.5, seen on 2.1.332."""
    catalog = ModelCatalog()
    description = "Haiku 5.5 · Fastest · $0.10/$0.50 per Mtok ($0.50/$2.50 for prompts over 100k)"
    catalog.merge([{"value": "haiku", "resolvedModel": "claude-haiku-5-5", "description": description}])
    haiku = catalog.resolve("claude-haiku-5-5")
    assert haiku.cost(Usage(input_tokens=90_000)) == pytest.approx(0.009)
    assert haiku.cost(Usage(101_000, output_tokens=100_000)) == pytest.approx(0.3005)
    assert haiku.cost(Usage(1_000, 100_000, output_tokens=100_000)) == pytest.approx(0.2555)
    assert haiku.cost(Usage(cache_write_tokens=50_000, long_write_tokens=50_000)) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("name", "widened"),
    [
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929[1m]"),
        ("claude-sonnet-4-5[1m]", "claude-sonnet-4-5-20250929[1m]"),
        ("claude-haiku-4-5", "claude-haiku-4-5-20251001"),
        ("claude-sonnet-4-6", "claude-sonnet-4-6[1m]"),  # not listed, so the API decides
    ],
)
def test_models_with_a_beta_for_it_get_a_wide_context(name: str, widened: str) -> None:
    catalog = ModelCatalog()
    assert catalog.widen(catalog.resolve(name)).id == widened
