"""`/v1/models`: answered from memory, no process is asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Response, jsonify

from gateway.api.hooks import anthropic_dialect as anthropic
from gateway.api.http import context as current
from gateway.api.http.blueprints import Blueprint
from gateway.api.openapi.description import raises
from gateway.dialects.messages import models as anthropic_models
from gateway.errors import ModelNotFound
from gateway.schemas.models import (
    AnthropicModelListSchema,
    AnthropicModelSchema,
    CapabilitiesSchema,
    ModelListSchema,
    ModelSchema,
)
from gateway.turn import Model

blueprint = Blueprint(
    "models", __name__, url_prefix="/v1/models", description="The models, their aliases, limits and prices"
)

ANTHROPIC = {
    "name": anthropic.VERSION_HEADER,
    "in": "header",
    "description": "Asks for Anthropic's shape.",
    "schema": {"type": "string"},
}


@blueprint.route("")
@blueprint.response(200, {"anyOf": [ModelListSchema, AnthropicModelListSchema]})
@blueprint.doc(parameters=[ANTHROPIC])
def listing() -> Response:
    """All known models and the aliases that lead to them. Anthropic's clients get them in their shape."""
    models = current.claude().catalog.all()
    if anthropic.is_asked():
        entries = [_for_anthropic(model, name) for name, model in _by_name(models).items()]
        return anthropic.answer(anthropic_models.listing(entries))
    return jsonify({"object": "list", "data": [_entry(name) for name in _by_name(models)]})


@blueprint.route("/capabilities")
@blueprint.response(200, CapabilitiesSchema)
def capabilities() -> dict[str, Any]:
    """What each model can do and costs."""
    models = [_capabilities(model) for model in current.claude().catalog.all()]
    return {"models": models, "total": len(models), "provider": "anthropic", "adapter": "claude-code"}


@blueprint.route("/<path:model_id>")
@raises(ModelNotFound)
@blueprint.response(200, {"anyOf": [ModelSchema, AnthropicModelSchema]})
@blueprint.doc(parameters=[ANTHROPIC])
def retrieve(model_id: str) -> Response:
    """One model, by id or alias."""
    model = current.claude().catalog.find(model_id)
    if anthropic.is_asked():
        return anthropic.answer(_for_anthropic(model, model.id))
    return jsonify(_entry(model.id))


def _by_name(models: Iterable[Model]) -> dict[str, Model]:
    return {name: model for model in models for name in (model.id, *model.aliases)}


def _for_anthropic(model: Model, name: str) -> dict[str, Any]:
    return anthropic_models.entry(name, model.name or name, model.max_tokens)


def _entry(model_id: str) -> dict[str, Any]:
    return {"id": model_id, "object": "model", "created": 0, "owned_by": "anthropic"}


def _capabilities(model: Model) -> dict[str, Any]:
    return {
        "id": model.id,
        "name": model.name,
        "description": model.description,
        "max_tokens": model.max_tokens,
        "supports_streaming": model.supports_streaming,
        "supports_tools": model.supports_tools,
        "pricing": {
            "input_cost_per_1k_tokens": model.input_cost_per_1k,
            "output_cost_per_1k_tokens": model.output_cost_per_1k,
            "currency": "USD",
        },
        "features": _features(model),
        "aliases": list(model.aliases),
    }


def _features(model: Model) -> list[str]:
    features = {
        "streaming": model.supports_streaming,
        "tools": model.supports_tools,
        "thinking": model.thinking != "none",
        "temperature": model.sampling != "none",
    }
    return [name for name, has in features.items() if has]
