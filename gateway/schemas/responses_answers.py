"""Answers of `/v1/responses`.

https://platform.openai.com/docs/api-reference/responses/object
"""

from typing import Any

from marshmallow import fields

from gateway.schemas.answers import AnswerSchema, about, always_null, constant, one_of
from gateway.schemas.chat_answers import COST, SECONDS, CompletionTokensSchema, PromptTokensSchema

_ITEM = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "type": {"type": "string"}},
    "required": ["id", "type"],
}


def _items(description: str) -> fields.List[Any]:
    return fields.List(fields.Dict(), metadata={"items": _ITEM, "description": description})


class ResponseUsageSchema(AnswerSchema):
    """The usage of the response."""

    sometimes = ("cost",)

    input_tokens = fields.Integer(metadata=about("Includes cached tokens."))
    input_tokens_details = fields.Nested(PromptTokensSchema)
    output_tokens = fields.Integer(metadata=about("Includes thinking."))
    output_tokens_details = fields.Nested(CompletionTokensSchema)
    total_tokens = fields.Integer()
    cost = fields.Float(metadata=COST)


class ResponseErrorSchema(AnswerSchema):
    """The reason why the response failed."""

    code = one_of("server_error", "rate_limit_exceeded", "invalid_prompt")
    message = fields.String()


class IncompleteSchema(AnswerSchema):
    """The reason why the response is incomplete."""

    reason = one_of("max_output_tokens", "content_filter")


class ConversationReferenceSchema(AnswerSchema):
    """The conversation of the response."""

    id = fields.String()


class ResponseSchema(AnswerSchema):
    """A response. The fields after `usage` repeat the request."""

    sometimes = ("conversation",)

    id = fields.String()
    object = constant("response")
    created_at = fields.Integer(metadata=SECONDS)
    completed_at = fields.Integer(allow_none=True)
    status = one_of("queued", "in_progress", "completed", "incomplete", "failed", "cancelled")
    error = fields.Nested(ResponseErrorSchema, allow_none=True)
    incomplete_details = fields.Nested(IncompleteSchema, allow_none=True)
    model = fields.String()
    output = _items("Items: `message`, `reasoning`, `function_call`, `web_search_call` and others.")
    usage = fields.Nested(ResponseUsageSchema, allow_none=True)
    background = fields.Boolean()
    conversation = fields.Nested(ConversationReferenceSchema, allow_none=True)
    frequency_penalty = fields.Constant(0, metadata={"type": "number", "enum": [0]})
    instructions = fields.String(allow_none=True)
    max_output_tokens = fields.Integer(allow_none=True)
    max_tool_calls = always_null()
    metadata = fields.Dict(values=fields.String())
    parallel_tool_calls = fields.Boolean()
    presence_penalty = fields.Constant(0, metadata={"type": "number", "enum": [0]})
    previous_response_id = fields.String(allow_none=True)
    prompt_cache_key = fields.String(allow_none=True)
    reasoning = fields.Dict()
    safety_identifier = fields.String(allow_none=True)
    service_tier = fields.String()
    store = fields.Boolean(metadata=about("True if the response is stored."))
    temperature = fields.Float()
    text = fields.Dict()
    tool_choice = fields.Raw(metadata={"type": ["string", "object"]})
    tools = fields.List(fields.Dict())
    top_logprobs = fields.Integer()
    top_p = fields.Float()
    truncation = fields.String()
    user = fields.String(allow_none=True)


class DeletedResponseSchema(AnswerSchema):
    """A deleted response."""

    id = fields.String()
    object = constant("response")
    deleted = constant(True)


class ItemSchema(AnswerSchema):
    """An item: a message, a tool call, the output of a tool, or any other. It has more fields by its type."""

    id = fields.String()
    type = fields.String()


class InputItemListSchema(AnswerSchema):
    """Items of a response's input, or of a conversation."""

    object = constant("list")
    data = _items("The items.")
    first_id = fields.String()
    last_id = fields.String()
    has_more = fields.Boolean()


class InputTokensSchema(AnswerSchema):
    """The number of tokens of a request's input."""

    object = constant("response.input_tokens")
    input_tokens = fields.Integer()


class CompactionSchema(AnswerSchema):
    """A compacted conversation. Send `output` as the input of the next request."""

    id = fields.String()
    object = constant("response.compaction")
    created_at = fields.Integer(metadata=SECONDS)
    output = _items("The user's newest messages, and a `compaction` item with the summary.")
    usage = fields.Nested(ResponseUsageSchema)
