"""`/v1/sessions`. The turns of sessions are in `session_turns`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gateway.answering import project_access
from gateway.api.hooks import auth
from gateway.api.http import context as current
from gateway.api.http import owner
from gateway.api.http.blueprints import Blueprint
from gateway.api.openapi import examples
from gateway.api.openapi.description import raises
from gateway.errors import ModelNotAllowed, ModelNotSupported, ProjectNotFound, SessionNotFound
from gateway.schemas.pages import pagination
from gateway.schemas.sessions import (
    DeletedSessionSchema,
    NewSessionSchema,
    RenameSchema,
    SessionListSchema,
    SessionQuerySchema,
    SessionSchema,
    SessionWithMessagesSchema,
    StatsSchema,
)
from gateway.store.sessions import SessionRecord

blueprint = Blueprint(
    "sessions", __name__, url_prefix="/v1/sessions", description="Conversations that the gateway keeps"
)


@blueprint.route("", methods=["GET"])
@blueprint.arguments(SessionQuerySchema, location="query")
@blueprint.response(200, SessionListSchema)
def listing(query: dict[str, Any]) -> dict[str, Any]:
    """The sessions of whoever asks."""
    page, per_page = query["page"], query["per_page"]
    sessions = current.session_turns().sessions
    data, total = sessions.list_page(owner.scope(), query.get("project_id"), page, per_page)
    return {"data": data, "pagination": pagination(page, per_page, total)}


@blueprint.route("", methods=["POST"])
@raises(ProjectNotFound, ModelNotSupported, ModelNotAllowed)
@blueprint.arguments(NewSessionSchema, required=False, example=examples.SESSION)
@blueprint.response(200, SessionSchema)
def create(body: dict[str, Any]) -> SessionRecord:
    """A new conversation that will be stored."""
    project_access.require(body.get("project_id"))
    if body.get("model"):
        current.claude().catalog.resolve(body["model"])
        auth.require_model(body["model"])
    return current.session_turns().sessions.create(owner.current(), **body)


@blueprint.route("/stats")
@blueprint.response(200, StatsSchema)
def stats() -> dict[str, Any]:
    """Sums of all sessions of whoever asks."""
    figures = current.session_turns().sessions.compute_stats(owner.scope())
    running = figures["running"]
    return {"session_stats": figures, "active_claude_sessions": len(running), "claude_sessions": running}


@blueprint.route("/<session_id>", methods=["GET"])
@raises(SessionNotFound)
@blueprint.response(200, SessionWithMessagesSchema)
def retrieve(session_id: str) -> dict[str, Any]:
    """One session with its messages."""
    sessions = current.session_turns().sessions
    session = sessions.get(session_id, owner.scope())
    messages = [stored.message for stored in sessions.list_messages(session.id)]
    return {**asdict(session), "is_running": session.is_running, "messages": messages}


@blueprint.route("/<session_id>", methods=["PATCH"])
@raises(SessionNotFound)
@blueprint.arguments(RenameSchema, example=examples.TITLE)
@blueprint.response(200, SessionSchema)
def rename(body: dict[str, Any], session_id: str) -> SessionRecord:
    """Give a session another title."""
    return current.session_turns().sessions.rename(session_id, owner.scope(), body["title"])


@blueprint.route("/<session_id>", methods=["DELETE"])
@raises(SessionNotFound)
@blueprint.response(200, DeletedSessionSchema)
def delete(session_id: str) -> dict[str, str]:
    """Delete a session with its messages, and stop its turn."""
    turns = current.session_turns()
    session = turns.sessions.delete(session_id, owner.scope())
    turns.stop(session.id)
    return {"session_id": session.id, "status": "deleted"}
