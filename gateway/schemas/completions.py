"""The body of `POST /v1/completions`.

https://platform.openai.com/docs/api-reference/completions/create
"""

from typing import Any

from marshmallow import fields

from gateway.schemas.answers import about
from gateway.schemas.chat import StreamOptionsSchema
from gateway.schemas.fields import (
    MODEL,
    STOP,
    TOP_K,
    Count,
    Flag,
    LenientSchema,
    LooseNumber,
    ObjectOf,
    StopSequences,
    Text,
    between,
    ignored,
    refused,
)
from gateway.turn import MAX_CHOICES


class Prompt(fields.Field[Any]):
    """A string or a list of strings. Token arrays are accepted here and rejected by the dialect, with a reason."""

    default_error_messages = {"invalid": "Expected a string or a list of strings."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str | list[Any]:
        if isinstance(value, (str, list)):
            return value
        raise self.make_error("invalid")


class CompletionSchema(LenientSchema):
    """A completion request."""

    prompt = Prompt(
        required=True,
        error_messages={"required": "A prompt is required."},
        metadata={"type": ["string", "array"], "items": {"type": "string"}},
    )
    model = Text(metadata=MODEL)
    max_tokens = LooseNumber(
        metadata=about("Limits the answer, including thinking. If it is missing, the model's limit applies."),
    )
    temperature = LooseNumber(metadata=about("Above 1 counts as 1."))
    top_p = LooseNumber()
    top_k = LooseNumber(metadata=TOP_K)
    stop = StopSequences(metadata=STOP)
    n = Count(validate=between(1, MAX_CHOICES), metadata=about("The number of answers per prompt."))
    echo = Flag(metadata=about("Repeat the prompt before the answer."))
    stream = Flag()
    stream_options = ObjectOf(StreamOptionsSchema())
    suffix = Text(metadata=about("Not supported."))
    logprobs = refused()
    best_of = ignored()
    frequency_penalty = ignored()
    logit_bias = ignored()
    presence_penalty = ignored()
    seed = ignored()
    user = ignored()
