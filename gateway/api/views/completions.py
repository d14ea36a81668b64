"""`/v1/completions`, OpenAI's legacy form."""

from __future__ import annotations

import secrets
import time
from typing import Any

from flask import Response

from gateway.answering import answer as running
from gateway.api.http import streaming as answers
from gateway.api.http.blueprints import Blueprint
from gateway.api.openapi import examples
from gateway.api.openapi.description import ANSWERING, answered, raises
from gateway.dialects.completions import request as completions
from gateway.dialects.completions.answers import Collector, StreamEncoder
from gateway.schemas.chat_answers import CompletionAnswerSchema
from gateway.schemas.completions import CompletionSchema

blueprint = Blueprint(
    "completions", __name__, url_prefix="/v1/completions", description="OpenAI's legacy completions"
)


@blueprint.route("", methods=["POST"])
@raises(*ANSWERING)
@blueprint.arguments(CompletionSchema(), examples=examples.COMPLETION)
@answered(blueprint, CompletionAnswerSchema, examples.COMPLETION_ANSWER, examples.COMPLETION_STREAM)
def create(body: dict[str, Any]) -> Response:
    """Answer one prompt or several, streamed or whole."""
    wanted = completions.parse_request(body)
    run = running.run(*wanted.turns, n=wanted.n, stream=wanted.stream)
    answer_id, created = f"cmpl-{secrets.token_hex(16)}", int(time.time())
    if wanted.stream:
        encoder = StreamEncoder(answer_id, created, wanted.echoes, wanted.include_usage)
        return answers.stream(run, encoder, wanted.ignored)
    return answers.whole(run, Collector(answer_id, created, wanted.echoes), wanted.ignored)
