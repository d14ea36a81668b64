"""The catalog of models resolves the names that clients send."""

import pytest

from gateway.claude.catalog import ModelCatalog


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
