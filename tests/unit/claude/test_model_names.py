"""Clients write the names of models in many forms; each is the model that it names, without asking the API."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.claude.catalog import ModelCatalog
from gateway.claude.model_names import canonical_id, find_families, parse_name
from gateway.errors import ModelNotFound, ModelNotSupported

SONNET, OPUS, HAIKU = "claude-sonnet-4-5-20250929", "claude-opus-4-6-20260205", "claude-haiku-4-5-20251001"
OLD_SONNET = "claude-3-5-sonnet-20241022"

NAMES = {
    "claude-sonnet-4.5": SONNET,
    "claude_sonnet_4_5": SONNET,
    "Claude Sonnet 4.5": SONNET,
    "sonnet-4.5": SONNET,
    "sonnet4.5": SONNET,
    "claude-4.5-sonnet": SONNET,
    "claude-sonnet-4-5-latest": SONNET,
    "CLAUDE-SONNET-4-5-20250929": SONNET,
    "anthropic/claude-sonnet-4.5": SONNET,
    "openrouter/anthropic/claude-sonnet-4.5:beta": SONNET,
    "anthropic:claude-sonnet-4-5": SONNET,
    "openai/sonnet": SONNET,
    "a/b/c/Sonnet": SONNET,
    "Sonnet": SONNET,
    " sonnet ": SONNET,
    "sonnet:latest": SONNET,
    "claude-sonnet": SONNET,
    "claude-sonnet-latest": SONNET,
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0": SONNET,
    "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0": SONNET,
    "anthropic.claude-sonnet-4-5-20250929-v1:0": SONNET,
    "global.anthropic.claude-haiku-4-5-20251001-v1:0": HAIKU,
    "claude-sonnet-4-5@20250929": SONNET,
    "vertex_ai/claude-sonnet-4-5@20250929": SONNET,
    "claude-haiku-4.5": HAIKU,
    "anthropic/claude-haiku-4.5": HAIKU,
    "claude-opus-4.6": OPUS,
    "opus": OPUS,
    "claude-opus-4": "claude-opus-4-20250514",
    "claude-opus-4.1": "claude-opus-4-1-20250805",
    "claude-4-opus": "claude-opus-4-20250514",
    "claude-3.5-sonnet-latest": OLD_SONNET,
    "claude-3.5-sonnet": OLD_SONNET,
    "anthropic/claude-3.5-sonnet:beta": OLD_SONNET,
    "claude-3-5-sonnet-v2@20241022": OLD_SONNET,
    "anthropic.claude-3-5-sonnet-20241022-v2:0": OLD_SONNET,
    "anthropic/claude-3.7-sonnet:thinking": "claude-3-7-sonnet-20250219",
    "sonnet[1m]": f"{SONNET}[1m]",
    "anthropic/claude-sonnet-4.5[1M]": f"{SONNET}[1m]",
    "claude-opus-7.1": "claude-opus-7-1",
    "anthropic/claude-opus-7.1[1m]": "claude-opus-7-1[1m]",
    "us.anthropic.claude-opus-7-1-v1:0": "claude-opus-7-1",
    "claude-sonnet-4-5-20990101": "claude-sonnet-4-5-20990101",
    "claude-mystery-1": "claude-mystery-1",
}

UNKNOWN = (
    "gpt-4o", "openai/gpt-5.1", "sonnet-9", "my-sonnet", "sonnet-opus", "anthropic/claude", "claude", "claude/x",
    "sonnet-" + "9" * 5000,
    "models/claude-mystery-1", "not a model", "sonnet; rm", "o3", "4.5", "[1m]", "gpt-4o[1m]", "\ud83d", "sonn\u00e9t",
)  # fmt: skip


@pytest.mark.parametrize(("name", "model_id"), NAMES.items())
def test_name_in_any_form_is_the_model_that_it_names(name: str, model_id: str) -> None:
    assert ModelCatalog().resolve(name).id == model_id


@pytest.mark.parametrize("name", UNKNOWN)
def test_other_names_are_rejected_with_the_list(name: str) -> None:
    with pytest.raises(ModelNotSupported, match=r"Known models: .*haiku"):
        ModelCatalog().resolve(name)
    with pytest.raises(ModelNotFound):
        ModelCatalog().find(name)


def test_other_form_keeps_the_properties_of_the_model() -> None:
    catalog = ModelCatalog()
    wide = catalog.resolve("anthropic/claude-sonnet-4.5[1m]")
    assert (wide.max_tokens, wide.thinking) == (64000, "budget")
    assert catalog.find("Sonnet").id == SONNET


def catalog_of_the_cli(*ids: str, **options: Any) -> ModelCatalog:
    """Return the catalog of a gateway whose CLI lists these models."""
    catalog = ModelCatalog(**options)
    catalog.merge([{"value": model_id, "resolvedModel": model_id} for model_id in ids])
    return catalog


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("us.anthropic.claude-opus-4-6-v1[1m]", "us.anthropic.claude-opus-4-6-v1[1m]"),
        ("us.anthropic.claude-opus-4-8", "us.anthropic.claude-opus-4-8"),
        ("claude-opus-4.8", "us.anthropic.claude-opus-4-8"),
        ("eu.anthropic.claude-opus-4-8", "eu.anthropic.claude-opus-4-8"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("us.anthropic.claude-new-1-v1:0", "us.anthropic.claude-new-1-v1:0"),
        ("arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc", None),
    ],
)
def test_ids_of_bedrock_reach_a_cli_that_uses_it(name: str, model_id: str | None) -> None:
    listed = (
        "us.anthropic.claude-opus-4-8",
        "us.anthropic.claude-opus-4-6-v1",
        "us.anthropic.claude-opus-4-6-v1[1m]",
    )
    assert catalog_of_the_cli(*listed).resolve(name).id == model_id or name


@pytest.mark.parametrize(
    "name", ["claude-opus-4-1@20250805", "claude-sonnet-4-5@20250929", "claude-new-1@20300101"]
)
def test_ids_of_vertex_reach_a_cli_that_uses_it(name: str) -> None:
    assert (
        catalog_of_the_cli("claude-opus-4-1@20250805", "claude-haiku-4-5@20251001").resolve(name).id == name
    )


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("gpt-4o", HAIKU),
        ("GPT-5.1", HAIKU),
        ("openai/gpt-4o-mini", HAIKU),
        ("o3-mini", "claude-opus-7-1"),
        ("anything", SONNET),
        ("claude-opus-4.6", OPUS),
        ("sonnet", SONNET),
        ("claude-mystery-1", SONNET),
    ],
)
def test_operator_maps_names_of_other_models(name: str, model_id: str) -> None:
    patterns = ("gpt-*=haiku", "o3*=anthropic/claude-opus-7.1", "*=sonnet")
    assert ModelCatalog(patterns=patterns).resolve(name).id == model_id


def test_pattern_for_a_model_that_does_not_exist_is_named() -> None:
    with pytest.raises(ModelNotSupported, match="MODEL_PATTERNS maps 'gpt-4o' to 'gpt-5'"):
        ModelCatalog(patterns=("gpt-*=gpt-5",)).resolve("gpt-4o")


@given(st.text(max_size=60) | st.from_regex(r"(claude|opus|[\w.@:/-]){1,12}", fullmatch=True))
def test_no_name_fails_unexpectedly(name: str) -> None:
    catalog = ModelCatalog()
    try:
        model = catalog.resolve(name)
    except ModelNotSupported:
        return
    assert catalog.resolve(model.id).id == model.id


@pytest.mark.parametrize("model_id", [SONNET, HAIKU, OLD_SONNET, "claude-opus-4-8", "claude-fable-5-2"])
def test_canonical_id_is_the_id_of_the_api(model_id: str) -> None:
    name = parse_name(model_id, find_families([model_id]))
    assert name is not None
    assert canonical_id(name) == model_id
