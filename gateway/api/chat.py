"""`/v1/chat/completions`."""

from __future__ import annotations

import time
import uuid
from typing import Any

from flask import Response

from gateway.api import answers, running
from gateway.api.blueprints import Blueprint
from gateway.dialects import chat
from gateway.dialects.chat_answers import Completion, StreamEncoder
from gateway.schemas.chat import ChatCompletionSchema

blueprint = Blueprint("chat", __name__, url_prefix="/v1/chat/completions", description="Chat completions")


@blueprint.route("", methods=["POST"])
@blueprint.arguments(ChatCompletionSchema())
def create(body: dict[str, Any]) -> Response:
    """Answer a conversation, streamed or whole."""
    wanted = chat.parse(body)
    run = running.run(wanted.turn, n=wanted.n, stream=wanted.stream, project_id=body.get("project_id"))
    answer_id, created = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())
    if wanted.stream:
        encoder = StreamEncoder(answer_id, created, wanted.include_usage, wanted.n, wanted.call_form)
        return answers.stream(run, encoder, wanted.ignored)
    return answers.whole(run, Completion(answer_id, created, wanted.n, wanted.call_form), wanted.ignored)
