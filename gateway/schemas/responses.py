"""The body of `POST /v1/responses`, and the query of `GET /v1/responses/{id}/input_items`.

https://platform.openai.com/docs/api-reference/responses/create. A type is checked only if a wrong one would cause
trouble later; ignored fields may have any value.
"""

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from gateway.schemas.answers import about
from gateway.schemas.fields import (
    CACHE_OPTIONS,
    CACHE_RETENTION,
    MODEL,
    TIER,
    TOP_K,
    Count,
    Flag,
    LenientSchema,
    ListOf,
    LooseNumber,
    Object,
    Text,
    Unchecked,
    between,
    ignored,
    refused,
)

MAX_LABELS = 16


def check_labels(given: dict[str, Any]) -> None:
    """Check `metadata`: a few strings. Raises ValidationError."""
    wrong = {key: ["Expected a string."] for key, text in given.items() if not isinstance(text, str)}
    if wrong:
        raise ValidationError(wrong)
    if len(given) > MAX_LABELS:
        raise ValidationError(f"At most {MAX_LABELS} pairs are allowed.")


class ResponsesSchema(LenientSchema):
    """A Responses API request."""

    input = Unchecked(
        metadata={
            "description": "A string, or a list of items: messages, tool calls, outputs of tools, references."
        }
    )
    model = Text(metadata=MODEL)
    project_id = Text(metadata=about("The project that the answer belongs to."))
    instructions = Text(
        metadata={"description": "Goes before the system messages. Later responses do not inherit it."}
    )
    previous_response_id = Text(metadata={"description": "The stored response that this one continues."})
    conversation = Unchecked(
        metadata=about(
            "The id of a stored conversation, or an object with its `id`: the response continues it."
        )
    )
    store = Flag(
        metadata={
            "description": "Store the response, for `previous_response_id` and GET. The default is true."
        }
    )
    background = Flag(
        metadata={"description": "Return immediately, and write the response in the background."}
    )
    stream = Flag()
    stream_options = Object()

    max_output_tokens = LooseNumber(metadata={"description": "Limits the answer, including thinking."})
    temperature = LooseNumber(metadata={"description": "Above 1 counts as 1."})
    top_p = LooseNumber()
    top_k = LooseNumber(metadata=TOP_K)

    tools = ListOf(Object(), metadata={"description": "Functions. Hosted tools are not supported."})
    tool_choice = Unchecked()
    parallel_tool_calls = Flag()
    text = Object(metadata={"description": "`format`: text, json_object or json_schema."})
    reasoning = Object(metadata={"description": "`effort`, and `summary` to get the model's thinking."})
    metadata = Object(
        validate=check_labels,
        metadata={"description": "An object of strings that is stored with the response."},
    )
    include = ListOf(
        Text(),
        metadata={"description": "Accepted without effect. Log probabilities are not supported."},
    )

    prompt = refused("Send the text of the prompt.")
    moderation = refused()
    top_logprobs = Count(validate=between(0, 20))

    context_management = ignored()
    max_tool_calls = ignored()
    prompt_cache_key = ignored()
    prompt_cache_options = Unchecked(metadata=CACHE_OPTIONS)
    prompt_cache_retention = Unchecked(metadata=CACHE_RETENTION)
    safety_identifier = ignored()
    service_tier = Unchecked(metadata=TIER)
    truncation = ignored()
    user = ignored()


class CompactionRequestSchema(ResponsesSchema):
    """A request to compact a conversation: the fields of a request, but the model is required."""

    model = Text(required=True, metadata=MODEL)


class ShownResponseQuerySchema(Schema):
    """The form in which to read a response. `include` and `include_obfuscation` have no effect."""

    class Meta:
        unknown = EXCLUDE

    stream = fields.Boolean(
        load_default=False, metadata={"description": "Send the events of the response's stream."}
    )
    starting_after = fields.Integer(
        load_default=-1,
        validate=validate.Range(min=-1),
        metadata={"description": "The sequence number of the last event that the client has."},
    )


class InputItemsQuerySchema(Schema):
    """The input items to list. `after` is the id of the item before the first one."""

    class Meta:
        unknown = EXCLUDE

    limit = fields.Integer(load_default=20, validate=between(1, 100))
    order = fields.String(load_default="desc", validate=validate.OneOf(("asc", "desc")))
    after = fields.String(load_default=None)
