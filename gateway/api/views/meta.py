"""`GET /` and `GET /health`."""

import os
from typing import Any

from gateway.api.http.blueprints import Blueprint
from gateway.api.http.context import get_services
from gateway.schemas.meta import HealthSchema, IndexSchema
from gateway.settings import TITLE
from gateway.version import VERSION

blueprint = Blueprint("meta", __name__, description="The gateway itself")


@blueprint.route("/")
@blueprint.response(200, IndexSchema)
def show_index() -> dict[str, Any]:
    """Describe the gateway and list its endpoints."""
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
