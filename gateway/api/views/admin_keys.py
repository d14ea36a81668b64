"""`/v1/admin/keys`: create, list, change, rotate and revoke clients' keys."""

from dataclasses import asdict
from typing import Any

from gateway.answering.caller import identity_of
from gateway.answering.fallbacks import find_owner
from gateway.answering.key_admin import change_key, create_key, search_keys
from gateway.api.http.blueprints import AdminBlueprint, document_errors
from gateway.api.http.context import get_caller, get_services
from gateway.api.openapi import examples
from gateway.errors import AccountTaken, KeyNotFound, KeyRevoked
from gateway.schemas import admin_keys as schemas
from gateway.schemas.pages import pagination
from gateway.store.keys import Key

blueprint = AdminBlueprint("keys", "Clients' keys, for admins")


@blueprint.route("", methods=["GET"])
@blueprint.arguments(schemas.KeyQuerySchema, location="query")
@blueprint.response(200, schemas.KeyListSchema)
def list_keys(query: dict[str, Any]) -> dict[str, Any]:
    """List the keys, the newest first."""
    page, per_page = query["page"], query["per_page"]
    found = search_keys(
        get_services(), words=query.get("q", ""), state=query.get("state"), team_id=query.get("team_id")
    )
    begin = (page - 1) * per_page
    return {"data": found[begin : begin + per_page], "pagination": pagination(page, per_page, len(found))}


@blueprint.route("", methods=["POST"])
@document_errors(AccountTaken)
@blueprint.arguments(schemas.NewKeySchema, example=examples.NEW_KEY)
@blueprint.response(200, schemas.NewKeyAnswerSchema)
def create(body: dict[str, Any]) -> dict[str, Any]:
    """Create a key. The response is the only one that has its secret."""
    return _with_secret(*create_key(body, get_caller(), get_services()))


@blueprint.route("/<key_id>", methods=["GET"])
@document_errors(KeyNotFound)
@blueprint.response(200, schemas.KeyWithBudgetsSchema)
def show(key_id: str) -> dict[str, Any]:
    """Return a key, with the state of its budgets."""
    services = get_services()
    key = services.keys.get(key_id)
    identity = identity_of(key)
    fallback = services.limits.list_owner_budgets(find_owner(identity))
    return _as_dict(key) | {"budgets": services.limits.list_budgets(identity), "fallback_budgets": fallback}


@blueprint.route("/<key_id>", methods=["PATCH"])
@document_errors(KeyNotFound, AccountTaken)
@blueprint.arguments(schemas.KeyChangeSchema, example=examples.KEY_CHANGE)
@blueprint.response(200, schemas.KeySchema)
def change(body: dict[str, Any], key_id: str) -> Key:
    """Change a key. Its limits are merged with the given ones."""
    return change_key(key_id, body, get_caller(), get_services())


@blueprint.route("/<key_id>/rotate", methods=["POST"])
@document_errors(KeyNotFound, KeyRevoked)
@blueprint.response(200, schemas.NewKeyAnswerSchema)
def rotate(key_id: str) -> dict[str, Any]:
    """Replace the secret of a key. The old one is rejected from now on."""
    return _with_secret(*get_services().keys.rotate(key_id, get_caller().actor))


@blueprint.route("/<key_id>/revoke", methods=["POST"])
@document_errors(KeyNotFound)
@blueprint.response(200, schemas.KeySchema)
def revoke(key_id: str) -> Key:
    """Reject a key from now on. This cannot be undone."""
    return get_services().keys.revoke(key_id, get_caller().actor)


def _as_dict(key: Key) -> dict[str, Any]:
    return asdict(key) | {"state": key.state}


def _with_secret(key: Key, secret: str) -> dict[str, Any]:
    return _as_dict(key) | {"secret": secret}
