"""`/v1/models`, answered from memory: no CLI process is involved."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from flask import Response, request

from gateway.api.hooks.anthropic_dialect import is_anthropic_request
from gateway.api.http.blueprints import ANTHROPIC_VERSION, Blueprint, document_errors
from gateway.api.http.context import get_services
from gateway.api.http.streaming import json_response
from gateway.claude.catalog import lifecycle
from gateway.dialects.common.model_facts import model_facts
from gateway.dialects.messages.models import model_entry, model_list
from gateway.dialects.responses.codex_models import describe_model
from gateway.errors import ModelNotFound
from gateway.schemas import models as schemas
from gateway.turn import Model

blueprint = Blueprint(
    "models", __name__, url_prefix="/v1/models", description="The models, their aliases, limits and prices"
)


@blueprint.route("")
@blueprint.response(200, {"anyOf": [schemas.ModelListSchema, schemas.AnthropicModelListSchema]})
@blueprint.doc(parameters=[ANTHROPIC_VERSION])
def list_models() -> Response:
    """List all known models and their aliases, the current ones first. Clients of Anthropic's API get its format."""
    models = get_services().claude.catalog.all()
    if is_anthropic_request():
        entries = [model_entry(model, name, lifecycle(model)) for name, model in _by_name(models).items()]
        return json_response(model_list(entries))
    entries = [_entry(model, name) for name, model in _by_name(models).items()]
    listed: dict[str, Any] = {"object": "list", "data": entries}
    client_version = request.args.get("client_version")
    if client_version is not None:  # Codex expects descriptions of its own beside the list
        names = enumerate(_by_name(models).items())
        listed["models"] = [
            describe_model(model, name, rank, client_version) for rank, (name, model) in names
        ]
    return json_response(listed)


@blueprint.route("/capabilities")
@blueprint.response(200, schemas.CapabilitiesSchema)
def list_capabilities() -> dict[str, Any]:
    """List the features and prices of each model."""
    models = [_capabilities(model) for model in get_services().claude.catalog.all()]
    return {"models": models, "total": len(models), "provider": "anthropic", "adapter": "claude-code"}


@blueprint.route("/<path:model_id>")
@document_errors(ModelNotFound)
@blueprint.response(200, {"anyOf": [schemas.ModelSchema, schemas.AnthropicModelSchema]})
@blueprint.doc(parameters=[ANTHROPIC_VERSION])
def show_model(model_id: str) -> Response:
    """Return one model by its id or alias."""
    model = get_services().claude.catalog.find(model_id)
    if is_anthropic_request():
        return json_response(model_entry(model, model.id, lifecycle(model)))
    return json_response(_entry(model, model.id))


def _by_name(models: Iterable[Model]) -> dict[str, Model]:
    return {name: model for model in models for name in (model.id, *model.aliases)}


def _entry(model: Model, name: str) -> dict[str, Any]:
    own = {"id": name, "object": "model", "created": 0, "owned_by": "anthropic"}
    return {**own, **model_facts(model, name)}


def _capabilities(model: Model) -> dict[str, Any]:
    pricing = {
        "input_cost_per_1k_tokens": model.input_cost_per_1k,
        "output_cost_per_1k_tokens": model.output_cost_per_1k,
        "currency": "USD",
    }
    return {**asdict(model), "pricing": pricing, "features": _features(model)}


def _features(model: Model) -> list[str]:
    features = {
        "streaming": model.supports_streaming,
        "tools": model.supports_tools,
        "thinking": model.thinking != "none",
        "temperature": model.sampling != "none",
    }
    return [name for name, is_supported in features.items() if is_supported]
