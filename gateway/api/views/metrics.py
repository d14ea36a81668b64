"""`GET /metrics`, for Prometheus."""

from __future__ import annotations

from flask import Response

from gateway.api.http.blueprints import Blueprint, document_errors
from gateway.api.http.context import get_caller, get_services
from gateway.api.openapi import examples
from gateway.errors import AdminRequired
from gateway.observe.metrics import CONTENT_TYPE, Metrics

blueprint = Blueprint("metrics", __name__, description="Metrics for Prometheus")


@blueprint.route("/metrics")
@document_errors(AdminRequired)
@blueprint.response(200, {"type": "string"}, content_type=CONTENT_TYPE, example=examples.METRICS)
def show_metrics() -> Response:
    """Return the metrics of all workers. If the gateway asks for keys, this needs an admin key."""
    get_caller().require_admin()
    found = get_services().metrics
    assert isinstance(found, Metrics)  # app.py registers this blueprint only if there are metrics
    return Response(found.render(), content_type=CONTENT_TYPE)
