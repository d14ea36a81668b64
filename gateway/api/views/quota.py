"""`/v1/quota`: the limits of the caller with their rests, and the windows of the accounts that it uses."""

from typing import Any

from gateway.answering.quota import describe_quota
from gateway.api.http.blueprints import Blueprint
from gateway.api.http.context import get_caller, get_services
from gateway.schemas.quota import QuotaSchema

blueprint = Blueprint("quota", __name__, url_prefix="/v1/quota", description="The rest of limits and budgets")


@blueprint.route("")
@blueprint.response(200, QuotaSchema)
def show_quota() -> dict[str, Any]:
    """Return the caller's limits and how much of them remains. An admin key sees the windows of all accounts."""
    return describe_quota(get_caller(), get_services())
