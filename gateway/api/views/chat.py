"""`/v1/chat/completions`."""

import secrets
import time
from typing import Any

from flask import Response, request

from gateway import errors
from gateway.answering.validation import validate_chat_body
from gateway.api.http.blueprints import ANSWER_ERRORS, Blueprint, document_answer, document_errors
from gateway.api.http.bodies import read_body
from gateway.api.http.context import get_caller, get_files, get_hosted_tools, get_services, start_answer
from gateway.api.http.streaming import send_answer, stream_answer
from gateway.api.openapi import examples
from gateway.dialects.chat.answers import FIELD_NAMES, Collector, StreamEncoder
from gateway.dialects.chat.request import parse_plain_body
from gateway.dialects.common.field_errors import translated_errors
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
    "description": "Anything that could be a body of `POST /v1/chat/completions`.",
    "content": {"application/json": {"schema": {}, "examples": examples.CHAT}},
}


@blueprint.route("", methods=["POST"])
@document_errors(
    *ANSWER_ERRORS,
    errors.SessionNotFound,
    errors.ProjectNotFound,
    errors.AgentsNotAllowed,
    errors.ProjectTooLarge,
    errors.SessionBusy,
    errors.TurnStopped,
)
@blueprint.arguments(ChatCompletionSchema(), examples=examples.CHAT)
@document_answer(blueprint, ChatAnswerSchema, examples.CHAT_ANSWER, examples.CHAT_STREAM)
def create_chat_completion(body: dict[str, Any]) -> Response:
    """Answer a conversation, streamed or as one body."""
    services = get_services()
    session_turns, long_cache = services.session_turns, services.settings.long_prompt_cache
    with (
        translated_errors(FIELD_NAMES),
        session_turns.claim(
            body, get_caller(), get_files(), get_hosted_tools(), long_cache=long_cache
        ) as claimed,
    ):
        parsed = parse_plain_body(claimed.plain, claimed.history)
        metered = start_answer(parsed.turn, n=parsed.n, stream=parsed.stream, project=claimed.project)
        answer = session_turns.persist(metered, claimed, parsed)
    cites = bool(parsed.turn.hosted_tools)
    answer_id, created = f"chatcmpl-{secrets.token_hex(16)}", int(time.time())
    if parsed.stream:
        encoder = StreamEncoder(
            answer_id, created, parsed.include_usage, parsed.n, parsed.tool_call_format, cites=cites
        )
        return stream_answer(answer, encoder, parsed.ignored, parsed.repaired)
    ids = {"session_id": answer.record.session_id, "project_id": answer.record.project_id}
    collector = Collector(answer_id, created, parsed.n, parsed.tool_call_format, ids, cites=cites)
    return send_answer(answer, collector, parsed.ignored, parsed.repaired)


@blueprint.route("/debug", methods=["POST"])
@blueprint.doc(requestBody=ANY_BODY)
@blueprint.response(200, CheckSchema)
def validate_body() -> dict[str, Any]:
    """Validate a body without answering it, and list all its errors."""
    return validate_chat_body(read_body(request), get_caller(), get_services())


@blueprint.route("/<session_id>/status")
@document_errors(errors.SessionNotFound)
@blueprint.response(200, StatusSchema)
def show_status(session_id: str) -> SessionRecord:
    """Show whether an answer of the session is being written, and what the session has used."""
    return get_services().sessions.get(session_id, get_caller().visible_owner)


@blueprint.route("/<session_id>", methods=["DELETE"])
@document_errors(errors.SessionNotFound)
@blueprint.response(200, DeletedSessionSchema)
def stop_answer(session_id: str) -> dict[str, str]:
    """Stop the answer that is being written."""
    session = get_services().session_turns.stop_session(session_id, get_caller())
    return {"session_id": session.id, "status": "stopped"}
