"""`GET /` and `GET /health`."""

import os
from typing import Any

from flask import Response, render_template, request

from gateway.api.http.blueprints import Blueprint
from gateway.api.http.context import get_services
from gateway.api.http.inline_markdown import inline_markdown
from gateway.api.http.own_address import own_address
from gateway.api.http.page_headers import add_page_headers
from gateway.exposure import describe_exposure
from gateway.schemas.meta import HealthSchema, IndexSchema
from gateway.settings import TITLE
from gateway.version import VERSION

blueprint = Blueprint("meta", __name__, description="The gateway itself")


@blueprint.route("/")
@blueprint.response(200, IndexSchema)
def show_index() -> dict[str, Any] | Response:
    """Describe the gateway and list its endpoints. A browser gets a page instead."""
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        return _make_landing_page()
    return {
        "name": TITLE,
        "version": VERSION,
        "description": "OpenAI-compatible API in front of the Claude Code CLI",
        "endpoints": {
            "chat": "/v1/chat/completions",
            "responses": "/v1/responses",
            "conversations": "/v1/conversations",
            "messages": "/v1/messages",
            "completions": "/v1/completions",
            "files": "/v1/files",
            "batches": "/v1/batches",
            "message_batches": "/v1/messages/batches",
            "models": "/v1/models",
            "sessions": "/v1/sessions",
            "projects": "/v1/projects",
            "usage": "/v1/usage",
            "quota": "/v1/quota",
            "me": "/v1/me",
            "requests": "/v1/requests",
            "admin": "/v1/admin/keys",
            "health": "/health",
            "docs": "/docs",
            "openapi": "/openapi.json",
            **({"metrics": "/metrics"} if get_services().settings.metrics else {}),
        },
    }


@blueprint.route("/health")
@blueprint.response(200, HealthSchema)
@blueprint.alt_response(503, schema=HealthSchema, description="The gateway cannot answer; `error` says why")
def show_health() -> tuple[dict[str, Any], int]:
    """Report whether the gateway can answer, and if not, what to do about it."""
    services = get_services()
    status = services.claude.status()
    problem = services.claude.problem or services.store.problem
    health = {"version": VERSION, "pid": os.getpid(), "claude": status}  # the figures of this worker
    if problem:
        return {"status": "unhealthy", "error": problem, **health}, 503
    ready = {"claude_version": status["version"], "active_sessions": status["running"]}
    return {"status": "healthy", **health, **ready}, 200


def _make_landing_page() -> Response:
    services = get_services()
    problem = services.claude.problem or services.store.problem
    page = render_template(
        "landing.html",
        version=VERSION,
        address=own_address(),
        problem=inline_markdown(problem) if problem else None,
        claude_version=services.claude.status()["version"],
        asks_for_keys=services.settings.require_auth,
        exposure=describe_exposure(services.settings),
        has_dashboard=services.settings.dashboard,
    )
    response = add_page_headers(Response(page, mimetype="text/html"))
    response.vary.add("Accept")
    return response
