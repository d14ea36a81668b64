"""`/v1/sessions`. The turns of sessions run through `/v1/chat/completions`."""

from dataclasses import asdict
from typing import Any

from gateway.answering.model_access import resolve_model
from gateway.answering.project_access import find_project
from gateway.api.http.blueprints import Blueprint, document_errors
from gateway.api.http.context import get_caller, get_services
from gateway.api.openapi import examples
from gateway.errors import ModelNotAllowed, ModelNotSupported, ProjectNotFound, SessionNotFound
from gateway.schemas import sessions as schemas
from gateway.schemas.pages import pagination
from gateway.store.sessions import SessionRecord

blueprint = Blueprint(
    "sessions", __name__, url_prefix="/v1/sessions", description="Conversations that the gateway stores"
)


@blueprint.route("", methods=["GET"])
@blueprint.arguments(schemas.SessionQuerySchema, location="query")
@blueprint.response(200, schemas.SessionListSchema)
def list_sessions(query: dict[str, Any]) -> dict[str, Any]:
    """List the caller's sessions, the newest first."""
    page, per_page = query["page"], query["per_page"]
    sessions = get_services().sessions
    data, total = sessions.list_page(get_caller().visible_owner, query.get("project_id"), page, per_page)
    return {"data": data, "pagination": pagination(page, per_page, total)}


@blueprint.route("", methods=["POST"])
@document_errors(ProjectNotFound, ModelNotSupported, ModelNotAllowed)
@blueprint.arguments(schemas.NewSessionSchema, required=False, example=examples.SESSION)
@blueprint.response(200, schemas.SessionSchema)
def create_session(body: dict[str, Any]) -> SessionRecord:
    """Create a session that stores its conversation."""
    services, caller = get_services(), get_caller()
    if body.get("project_id"):
        find_project(body["project_id"], caller, services.projects)
    if body.get("model"):
        resolve_model(body["model"], caller, services.claude.catalog)
    return services.sessions.create(caller.owner_id, **body)


@blueprint.route("/stats")
@blueprint.response(200, schemas.StatsSchema)
def show_stats() -> dict[str, Any]:
    """Return totals over the caller's sessions."""
    figures = get_services().sessions.compute_stats(get_caller().visible_owner)
    running = figures["running"]
    return {"session_stats": figures, "active_claude_sessions": len(running), "claude_sessions": running}


@blueprint.route("/<session_id>", methods=["GET"])
@document_errors(SessionNotFound)
@blueprint.response(200, schemas.SessionWithMessagesSchema)
def show_session(session_id: str) -> dict[str, Any]:
    """Return a session with its messages."""
    sessions = get_services().sessions
    session = sessions.get(session_id, get_caller().visible_owner)
    messages = [stored.message for stored in sessions.list_messages(session.id)]
    return {**asdict(session), "is_running": session.is_running, "messages": messages}


@blueprint.route("/<session_id>", methods=["PATCH"])
@document_errors(SessionNotFound)
@blueprint.arguments(schemas.RenameSchema, example=examples.TITLE)
@blueprint.response(200, schemas.SessionSchema)
def rename_session(body: dict[str, Any], session_id: str) -> SessionRecord:
    """Change the title of a session."""
    return get_services().sessions.rename(session_id, get_caller().visible_owner, body["title"])


@blueprint.route("/<session_id>", methods=["DELETE"])
@document_errors(SessionNotFound)
@blueprint.response(200, schemas.DeletedSessionSchema)
def delete_session(session_id: str) -> dict[str, str]:
    """Delete a session with its messages, and stop its running answer."""
    services = get_services()
    session = services.sessions.delete(session_id, get_caller().visible_owner)
    services.session_turns.stop_local_turn(session.id)
    return {"session_id": session.id, "status": "deleted"}
