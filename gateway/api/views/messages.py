"""`/v1/messages`, Anthropic's Messages API."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Response, g

from gateway.answering import answer as running
from gateway.api.hooks import anthropic_dialect as anthropic
from gateway.api.http import streaming as answers
from gateway.api.http.blueprints import Blueprint
from gateway.api.openapi import examples
from gateway.api.openapi.description import ANSWERING, answered, raises
from gateway.dialects.messages import request as dialect
from gateway.dialects.messages.answers import Collector, StreamEncoder
from gateway.schemas.messages import CountTokensSchema, MessagesSchema
from gateway.schemas.messages_answers import MessageSchema, TokenCountSchema

ESTIMATED_HEADER = "x-estimated"
_ESTIMATED = {"description": "That it is no exact count.", "schema": {"type": "string", "enum": ["true"]}}

blueprint = Blueprint(
    "messages", __name__, url_prefix=anthropic.MESSAGES, description="Anthropic's Messages API"
)


@blueprint.route("", methods=["POST"])
@raises(*ANSWERING)
@blueprint.arguments(MessagesSchema(), examples=examples.MESSAGE)
@answered(blueprint, MessageSchema, examples.MESSAGE_ANSWER, examples.MESSAGE_STREAM)
def create(body: dict[str, Any]) -> Response:
    """Answer a conversation, streamed or whole."""
    wanted = dialect.parse_request(body)
    run = running.run(wanted.turn, stream=wanted.stream)
    answer_id = f"msg_{secrets.token_hex(16)}"
    if wanted.stream:
        return answers.stream(run, StreamEncoder(answer_id, g.get("request_id", "")), wanted.ignored)
    return answers.whole(run, Collector(answer_id), wanted.ignored)


@blueprint.route("/count_tokens", methods=["POST"])
@raises(*ANSWERING)
@blueprint.arguments(CountTokensSchema(), example=examples.COUNT)
@blueprint.response(
    200, TokenCountSchema, example={"input_tokens": 12}, headers={ESTIMATED_HEADER: _ESTIMATED}
)
def count_tokens(body: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """About how many tokens a request would send: a sum of what Anthropic's counter says of its parts."""
    counted = running.count_tokens(dialect.parse_request(body).turn)
    return {"input_tokens": counted}, 200, {ESTIMATED_HEADER: "true"}
