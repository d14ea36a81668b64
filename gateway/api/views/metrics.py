"""`GET /metrics`, for Prometheus."""

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST

from gateway.api.http.blueprints import Blueprint, document_errors
from gateway.api.http.context import get_caller, get_services
from gateway.api.openapi import examples
from gateway.errors import AdminRequired, MetricsUnavailable

blueprint = Blueprint("metrics", __name__, description="Metrics for Prometheus")


@blueprint.route("/metrics")
@document_errors(AdminRequired, MetricsUnavailable)
@blueprint.response(200, {"type": "string"}, content_type=CONTENT_TYPE_LATEST, example=examples.METRICS)
def show_metrics() -> Response:
    """Return the metrics of all workers. If the gateway asks for keys, this needs an admin key."""
    get_caller().require_admin()
    found = get_services().metrics
    assert found is not None  # app.py registers this blueprint only if there are metrics
    return Response(found.render(), content_type=CONTENT_TYPE_LATEST)
