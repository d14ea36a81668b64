"""The catalog of models resolves the names that clients send."""

import pytest

from gateway.claude.catalog import ModelCatalog, lifecycle
from gateway.turn import Model


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
