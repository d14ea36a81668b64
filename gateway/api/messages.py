"""`/v1/messages`, Anthropic's Messages API."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, g

from gateway.api import answers, anthropic, running
from gateway.api.blueprints import Blueprint
from gateway.dialects import anthropic as dialect
from gateway.dialects.anthropic_answers import Answer, StreamEncoder
from gateway.schemas.messages import CountTokensSchema, MessagesSchema

ESTIMATED_HEADER = "x-estimated"

blueprint = Blueprint(
    "messages", __name__, url_prefix=anthropic.MESSAGES, description="Anthropic's Messages API"
)


@blueprint.route("", methods=["POST"])
@blueprint.arguments(MessagesSchema())
def create(body: dict[str, Any]) -> Response:
    """Answer a conversation, streamed or whole."""
    wanted = dialect.parse(body)
    run = running.run(wanted.turn, stream=wanted.stream)
    answer_id = f"msg_{uuid.uuid4().hex}"
    if wanted.stream:
        return answers.stream(run, StreamEncoder(answer_id, g.get("request_id", "")), wanted.ignored)
    return answers.whole(run, Answer(answer_id), wanted.ignored)


@blueprint.route("/count_tokens", methods=["POST"])
@blueprint.arguments(CountTokensSchema())
def count_tokens(body: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """About how many tokens a request would send: a sum of what Anthropic's counter says of its parts."""
    counted = running.count_tokens(dialect.parse(body).turn)
    return {"input_tokens": counted}, 200, {ESTIMATED_HEADER: "true"}
