"""The body of `POST /v1/completions`. https://platform.openai.com/docs/api-reference/completions/create"""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from gateway.schemas.chat import MAX_CHOICES, StreamOptionsSchema
from gateway.schemas.fields import Count, Decimal, Flag, LenientSchema, ObjectOf, StopSequences, Text

_STRING = {"type": "string"}


def _between(low: int, high: int) -> validate.Range:
    return validate.Range(min=low, max=high, error=f"Expected a number from {low} to {high}.")


def _ignored() -> fields.Raw:
    return fields.Raw(metadata={"description": "Accepted without effect; named in `x-ignored-parameters`."})


class Prompt(fields.Field[Any]):
    """A string or a list of strings. Lists of tokens get this far, to be refused in words of their own."""

    default_error_messages = {"invalid": "Expected a string or a list of strings."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str | list[Any]:
        if isinstance(value, (str, list)):
            return value
        raise self.make_error("invalid")


class CompletionSchema(LenientSchema):
    """A completion request."""

    prompt = Prompt(
        required=True,
        error_messages={"required": "A prompt is needed."},
        metadata={"type": ["string", "array"], "items": _STRING},
    )
    model = Text(metadata={"description": "A model's id or alias. Left out: the configured default."})
    max_tokens = Count(
        validate=validate.Range(min=1, error="Expected 1 or more."),
        metadata={"description": "Limits the answer, thinking included. Left out: the model's own limit."},
    )
    temperature = Decimal(validate=_between(0, 2), metadata={"description": "Above 1 counts as 1."})
    top_p = Decimal(validate=_between(0, 1))
    stop = StopSequences(
        metadata={"type": ["string", "array"], "items": _STRING, "maxItems": StopSequences.LIMIT}
    )
    n = Count(validate=_between(1, MAX_CHOICES), metadata={"description": "How many answers to each prompt."})
    echo = Flag(metadata={"description": "Put the prompt before the answer."})
    stream = Flag()
    stream_options = ObjectOf(StreamOptionsSchema())
    suffix = Text(metadata={"description": "Refused."})
    logprobs: fields.Field[Any] = fields.Raw(metadata={"description": "Refused."})
    best_of = _ignored()
    frequency_penalty = _ignored()
    logit_bias = _ignored()
    presence_penalty = _ignored()
    seed = _ignored()
    user = _ignored()
