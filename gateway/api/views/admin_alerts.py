"""`/v1/admin/alerts`: the log of alerts, and a test of the channels."""

from typing import Any

from gateway.answering.alerting.alerting import send_test
from gateway.api.http.blueprints import AdminBlueprint
from gateway.api.http.context import get_services
from gateway.schemas import admin_alerts as schemas
from gateway.schemas.pages import PageQuerySchema, pagination

blueprint = AdminBlueprint("alerts", "Alerts, for admins")


@blueprint.route("", methods=["GET"])
@blueprint.arguments(PageQuerySchema, location="query")
@blueprint.response(200, schemas.AlertListSchema)
def list_alerts(query: dict[str, Any]) -> dict[str, Any]:
    """List the alerts with their deliveries, the newest first."""
    page, per_page = query["page"], query["per_page"]
    data, total = get_services().alerting.log.list_page(page, per_page)
    return {"data": data, "pagination": pagination(page, per_page, total)}


@blueprint.route("/test", methods=["POST"])
@blueprint.response(200, schemas.AlertTestSchema)
def test_channels() -> dict[str, Any]:
    """Send a test over each channel, and wait for the results."""
    alerting = get_services().alerting
    return {"data": send_test(alerting.log, alerting.channels)}
