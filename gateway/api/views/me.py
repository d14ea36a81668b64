"""`/v1/me`: the caller's own key, for its owner."""

from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

from gateway.answering.caller import Identity
from gateway.answering.fallbacks import describe_fallback
from gateway.answering.hosted_access import allowed_hosted_tools
from gateway.api.http.blueprints import Blueprint
from gateway.api.http.context import get_caller, get_services
from gateway.errors import KeyNotFound
from gateway.schemas.me import MeSchema

blueprint = Blueprint("me", __name__, url_prefix="/v1/me", description="The caller's own key")


@blueprint.route("", methods=["GET"])
@blueprint.response(200, MeSchema)
def show_own_key() -> dict[str, Any]:
    """Return what the caller's key may do, and the rest of its budgets."""
    services, caller = get_services(), get_caller()
    identity = caller.identity
    return {
        "id": caller.key_id,
        "name": caller.key_name,
        "is_admin": caller.may_manage,
        "expires_at": _find_end(identity) if identity else None,
        "allowed_models": identity.allowed_models if identity else None,
        "allowed_projects": identity.allowed_projects if identity else None,
        "hosted_tools": allowed_hosted_tools(caller, services.settings),
        "limits": asdict(services.limits.find_client(caller).allowance),
        "team_id": identity.team_id if identity else None,
        "fallback": describe_fallback(identity, services.limits),
        "budgets": services.limits.list_budgets(identity) if identity else [],
    }


def _find_end(identity: Identity) -> datetime | None:
    """Return the time at which a key expires. Keys of the setting API_KEYS do not."""
    with suppress(KeyNotFound):
        return get_services().keys.get(identity.id).expires_at
    return None
