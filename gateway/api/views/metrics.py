"""`GET /metrics`, for Prometheus."""

from __future__ import annotations

from flask import Response

from gateway.api.hooks import auth
from gateway.api.http import context as current
from gateway.api.http.blueprints import Blueprint
from gateway.api.openapi import examples
from gateway.api.openapi.description import raises
from gateway.errors import AdminRequired
from gateway.observe.metrics import CONTENT_TYPE

blueprint = Blueprint("metrics", __name__, description="Figures for Prometheus")


@blueprint.route("/metrics")
@raises(AdminRequired)
@blueprint.response(200, {"type": "string"}, content_type=CONTENT_TYPE, example=examples.METRICS)
def metrics() -> Response:
    """Figures of all workers. With keys on, it needs an admin's."""
    auth.require_admin()
    return Response(current.metrics().render(), content_type=CONTENT_TYPE)
