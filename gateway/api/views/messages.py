"""`/v1/messages`, Anthropic's Messages API."""

import secrets
from typing import Any

from flask import Response, request

from gateway.answering.threads import join_thread, open_thread
from gateway.api.hooks.anthropic_dialect import MESSAGES_PATH
from gateway.api.http.blueprints import (
    ANSWER_ERRORS,
    COUNT_HEADERS,
    ESTIMATED_HEADER,
    Blueprint,
    document_answer,
    document_errors,
)
from gateway.api.http.context import count_tokens as count_turn_tokens
from gateway.api.http.context import get_caller, get_files, get_hosted_tools, get_services, start_answer
from gateway.api.http.streaming import note_headers, send_answer, stream_answer
from gateway.api.openapi import examples
from gateway.dialects.messages.answers import Collector, StreamEncoder
from gateway.dialects.messages.request import parse_request
from gateway.errors import ThreadNotFound
from gateway.schemas.messages import CountTokensSchema, MessagesSchema
from gateway.schemas.messages_answers import MessageSchema, TokenCountSchema

blueprint = Blueprint("messages", __name__, url_prefix=MESSAGES_PATH, description="Anthropic's Messages API")


@blueprint.route("", methods=["POST"])
@document_errors(*ANSWER_ERRORS, ThreadNotFound)
@blueprint.arguments(MessagesSchema(), examples=examples.MESSAGE)
@document_answer(blueprint, MessageSchema, examples.MESSAGE_ANSWER, examples.MESSAGE_STREAM)
def create_message(body: dict[str, Any]) -> Response:
    """Answer a conversation, streamed or as one body."""
    services, caller = get_services(), get_caller()
    thread = open_thread(body, caller, services)
    parsed = parse_request(thread.body, _read_betas(), thread.held, get_files(), get_hosted_tools())
    answer_id = f"msg_{secrets.token_hex(16)}"
    shown = {"shows_thinking": parsed.shows_thinking, "shows_listings": parsed.shows_listings}
    reply = Collector(answer_id, **shown)
    started = start_answer(parsed.turn, stream=parsed.stream)
    answer = join_thread(started, thread, answer_id, reply, caller, services)
    if parsed.stream:
        encoder = StreamEncoder(answer_id, caller.request_id, **shown)
        return stream_answer(answer, encoder, parsed.ignored, parsed.repaired)
    collector = Collector(answer_id, **shown)
    return send_answer(answer, collector, parsed.ignored, parsed.repaired)


@blueprint.route("/count_tokens", methods=["POST"])
@document_errors(*ANSWER_ERRORS)
@blueprint.arguments(CountTokensSchema(), example=examples.COUNT)
@blueprint.response(200, TokenCountSchema, example={"input_tokens": 12}, headers=COUNT_HEADERS)
def count_tokens(body: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Estimate the tokens that a request would send: the sum of what Anthropic's counter returns for its parts."""
    parsed = parse_request(body, _read_betas(), read_file=get_files(), hosted_tools=get_hosted_tools())
    counted = count_turn_tokens(parsed.turn)
    headers = note_headers(parsed.ignored, parsed.repaired)
    return {"input_tokens": counted}, 200, headers | {ESTIMATED_HEADER: "true"}


def _read_betas() -> list[str]:
    """Return the betas in the header of the request. Some betas allow more values of a parameter."""
    return [beta.strip() for beta in request.headers.get("anthropic-beta", "").split(",")]
