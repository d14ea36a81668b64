"""The body of `POST /v1/responses`, and the query of `GET /v1/responses/{id}/input_items`.

https://platform.openai.com/docs/api-reference/responses/create. Types are checked where a wrong one would mean
trouble later; what is ignored anyway may be anything.
"""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from gateway.schemas.fields import Count, Decimal, Flag, LenientSchema, ListOf, Object, Text

MOST_LABELS = 16


def _labels(given: dict[str, Any]) -> None:
    wrong = {key: ["Expected a string."] for key, text in given.items() if not isinstance(text, str)}
    if wrong:
        raise ValidationError(wrong)
    if len(given) > MOST_LABELS:
        raise ValidationError(f"At most {MOST_LABELS} pairs are allowed.")


def _between(low: int, high: int | None = None) -> validate.Range:
    most = f"from {low} to {high}" if high is not None else f"of {low} or more"
    return validate.Range(min=low, max=high, error=f"Expected a number {most}.")


def _ignored() -> fields.Raw:
    return fields.Raw(metadata={"description": "Accepted without effect; named in `x-ignored-parameters`."})


class ResponsesSchema(LenientSchema):
    """A Responses API request."""

    input: fields.Field[Any] = fields.Raw(
        metadata={
            "description": "A string, or a list of items: messages, calls and their outputs, references."
        }
    )
    model = Text(metadata={"description": "A model's id or alias. Left out: the configured default."})
    instructions = Text(
        metadata={"description": "Goes before the system messages; not inherited by what follows."}
    )
    previous_response_id = Text(metadata={"description": "The stored response that this one follows."})
    store = Flag(
        metadata={"description": "Keep the response, for later ones and for GET. The default is true."}
    )
    background = Flag(metadata={"description": "Answer at once, and write the response in the background."})
    stream = Flag()
    stream_options = Object()

    max_output_tokens = Count(
        validate=_between(1), metadata={"description": "Limits the answer, thinking included."}
    )
    temperature = Decimal(validate=_between(0, 2), metadata={"description": "Above 1 counts as 1."})
    top_p = Decimal(validate=_between(0, 1))

    tools = ListOf(Object(), metadata={"description": "Functions; hosted tools are refused."})
    tool_choice: fields.Field[Any] = fields.Raw()
    parallel_tool_calls = Flag()
    text = Object(metadata={"description": "`format`: text, json_object or json_schema."})
    reasoning = Object(metadata={"description": "`effort`, and `summary` for what the model thinks."})
    metadata = Object(
        validate=_labels, metadata={"description": "An object of strings, kept with the response."}
    )
    include = ListOf(Text(), metadata={"description": "Accepted without effect, but for log probabilities."})

    conversation: fields.Field[Any] = fields.Raw(
        metadata={"description": "Refused: use `previous_response_id`."}
    )
    prompt: fields.Field[Any] = fields.Raw(metadata={"description": "Refused: there are no stored prompts."})
    moderation: fields.Field[Any] = fields.Raw(metadata={"description": "Refused."})
    top_logprobs = Count(validate=_between(0, 20))

    context_management = _ignored()
    max_tool_calls = _ignored()
    prompt_cache_key = _ignored()
    prompt_cache_options = _ignored()
    prompt_cache_retention = _ignored()
    safety_identifier = _ignored()
    service_tier = _ignored()
    truncation = _ignored()
    user = _ignored()


class InputItemsQuerySchema(Schema):
    """Which of a response's input items are listed. `after` is an item's id."""

    class Meta:
        unknown = EXCLUDE

    limit = fields.Integer(load_default=20, validate=_between(1, 100))
    order = fields.String(load_default="desc", validate=validate.OneOf(("asc", "desc")))
    after = fields.String(load_default=None)
