"""`/v1/chat/completions`."""

from __future__ import annotations

import secrets
import time
from typing import Any

from flask import Response, request

from gateway.answering import answer as running
from gateway.answering import sessions as session_turns
from gateway.answering import validation as checking
from gateway.api.http import context as current
from gateway.api.http import owner
from gateway.api.http import streaming as answers
from gateway.api.http.blueprints import Blueprint
from gateway.api.openapi import examples
from gateway.api.openapi.description import ANSWERING, answered, raises
from gateway.dialects.chat import request as chat
from gateway.dialects.chat.answers import Collector, StreamEncoder
from gateway.errors import (
    AgentsNotAllowed,
    ProjectNotFound,
    ProjectTooLarge,
    SessionBusy,
    SessionNotFound,
    TurnStopped,
)
from gateway.schemas.chat import ChatCompletionSchema
from gateway.schemas.chat_answers import ChatAnswerSchema
from gateway.schemas.sessions import CheckSchema, DeletedSessionSchema, StatusSchema
from gateway.store.sessions import SessionRecord

blueprint = Blueprint(
    "chat",
    __name__,
    url_prefix="/v1/chat/completions",
    description="OpenAI's chat completions, with sessions",
)

ANY_BODY = {
    "description": "Anything that may be a body of `POST /v1/chat/completions`.",
    "content": {"application/json": {"schema": {}, "examples": examples.CHAT}},
}


@blueprint.route("", methods=["POST"])
@raises(
    *ANSWERING, SessionNotFound, ProjectNotFound, AgentsNotAllowed, ProjectTooLarge, SessionBusy, TurnStopped
)
@blueprint.arguments(ChatCompletionSchema(), examples=examples.CHAT)
@answered(blueprint, ChatAnswerSchema, examples.CHAT_ANSWER, examples.CHAT_STREAM)
def create(body: dict[str, Any]) -> Response:
    """Answer a conversation, streamed or whole."""
    with session_turns.begun(body) as turn:
        wanted = chat.parse_request(turn.body, turn.history)
        project_id = turn.body.get("project_id")
        run = running.run(wanted.turn, n=wanted.n, stream=wanted.stream, project_id=project_id)
        turn.follow(run, wanted)
    answer_id, created = f"chatcmpl-{secrets.token_hex(16)}", int(time.time())
    if wanted.stream:
        encoder = StreamEncoder(answer_id, created, wanted.include_usage, wanted.n, wanted.tool_call_format)
        return answers.stream(run, encoder, wanted.ignored)
    ids = {"session_id": run.record.session_id, "project_id": run.record.project_id}
    return answers.whole(
        run, Collector(answer_id, created, wanted.n, wanted.tool_call_format, ids), wanted.ignored
    )


@blueprint.route("/debug", methods=["POST"])
@blueprint.doc(requestBody=ANY_BODY)
@blueprint.response(200, CheckSchema)
def debug() -> dict[str, Any]:
    """Whether a body is valid, and everything that is wrong with it; nothing is answered."""
    return checking.check(request.get_data())


@blueprint.route("/<session_id>/status")
@raises(SessionNotFound)
@blueprint.response(200, StatusSchema)
def status(session_id: str) -> SessionRecord:
    """Whether an answer of the session is being written, and what it has used."""
    return current.session_turns().sessions.get(session_id, owner.scope())


@blueprint.route("/<session_id>", methods=["DELETE"])
@raises(SessionNotFound)
@blueprint.response(200, DeletedSessionSchema)
def stop(session_id: str) -> dict[str, str]:
    """Stop the answer that is being written."""
    session = session_turns.stop(session_id)
    return {"session_id": session.id, "status": "stopped"}
