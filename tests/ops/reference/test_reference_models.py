"""The models and aliases of the reference are shipped, and its models.json works unchanged."""

import json
from pathlib import Path

from gateway.claude.catalog import ModelCatalog
from tests.ops.reference.contract import EARLIER_OPUS, HAIKU, MODELS, OPUS

SHIPPED = [
    *(OPUS, EARLIER_OPUS, "claude-sonnet-4-5-20250929", HAIKU),
    *("claude-opus-4-1-20250805", "claude-opus-4-20250514", "claude-sonnet-4-20250514"),
    *("claude-3-7-sonnet-20250219", "claude-3-5-sonnet-20241022", "claude-3-5-haiku-20241022"),
]
ALIASES = {
    "opus": OPUS,
    "claude-opus-latest": OPUS,
    "claude-opus-4-6": OPUS,
    "claude-opus-4-5": EARLIER_OPUS,
    "claude-opus-4-5-latest": EARLIER_OPUS,
    "sonnet": "claude-sonnet-4-5-20250929",
    "haiku": HAIKU,
}


def test_models_of_the_reference_are_shipped() -> None:
    catalog = ModelCatalog()
    assert {model.id for model in catalog.all()} == set(SHIPPED)
    assert {name: catalog.resolve(name).id for name in ALIASES} == ALIASES
    assert [model.id for model in catalog.candidates(catalog.resolve("opus"))] == [OPUS, EARLIER_OPUS]


def test_newest_opus_4_5_is_the_implicit_fallback(tmp_path: Path) -> None:
    def candidates(catalog: ModelCatalog) -> list[str]:
        return [model.id for model in catalog.candidates(catalog.resolve("opus"))]

    file = tmp_path / "models.json"
    file.write_text(json.dumps(MODELS))
    assert candidates(ModelCatalog(file)) == [OPUS, EARLIER_OPUS]
    models = [{**model, "fallbacks": []} for model in MODELS["models"]]
    file.write_text(json.dumps({**MODELS, "models": models}))
    assert candidates(ModelCatalog(file)) == [OPUS]
