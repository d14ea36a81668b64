"""`/v1/completions`, OpenAI's legacy form."""

from __future__ import annotations

import time
import uuid
from typing import Any

from flask import Response

from gateway.api import answers, running
from gateway.api.blueprints import Blueprint
from gateway.dialects import completions
from gateway.dialects.completions_answers import Completion, StreamEncoder
from gateway.schemas.completions import CompletionSchema

blueprint = Blueprint("completions", __name__, url_prefix="/v1/completions", description="Legacy completions")


@blueprint.route("", methods=["POST"])
@blueprint.arguments(CompletionSchema())
def create(body: dict[str, Any]) -> Response:
    """Answer one prompt or several, streamed or whole."""
    wanted = completions.parse(body)
    run = running.run(*wanted.turns, n=wanted.n, stream=wanted.stream)
    answer_id, created = f"cmpl-{uuid.uuid4().hex}", int(time.time())
    if wanted.stream:
        encoder = StreamEncoder(answer_id, created, wanted.echoes, wanted.include_usage)
        return answers.stream(run, encoder, wanted.ignored)
    return answers.whole(run, Completion(answer_id, created, wanted.echoes), wanted.ignored)
