"""`/v1/completions`, OpenAI's legacy API."""

import secrets
import time
from typing import Any

from flask import Response

from gateway.api.http.blueprints import ANSWER_ERRORS, Blueprint, document_answer, document_errors
from gateway.api.http.context import start_answer
from gateway.api.http.streaming import send_answer, stream_answer
from gateway.api.openapi import examples
from gateway.dialects.completions.answers import Collector, StreamEncoder
from gateway.dialects.completions.request import parse_request
from gateway.schemas.chat_answers import CompletionAnswerSchema
from gateway.schemas.completions import CompletionSchema

blueprint = Blueprint(
    "completions", __name__, url_prefix="/v1/completions", description="OpenAI's legacy completions"
)


@blueprint.route("", methods=["POST"])
@document_errors(*ANSWER_ERRORS)
@blueprint.arguments(CompletionSchema(), examples=examples.COMPLETION)
@document_answer(blueprint, CompletionAnswerSchema, examples.COMPLETION_ANSWER, examples.COMPLETION_STREAM)
def create_completion(body: dict[str, Any]) -> Response:
    """Answer one or more prompts, streamed or as one body."""
    parsed = parse_request(body)
    answer = start_answer(*parsed.turns, n=parsed.n, stream=parsed.stream)
    answer_id, created = f"cmpl-{secrets.token_hex(16)}", int(time.time())
    if parsed.stream:
        encoder = StreamEncoder(answer_id, created, parsed.echoes, parsed.include_usage)
        return stream_answer(answer, encoder, parsed.ignored, parsed.repaired)
    collector = Collector(answer_id, created, parsed.echoes)
    return send_answer(answer, collector, parsed.ignored, parsed.repaired)
