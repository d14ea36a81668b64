"""Answers of `/v1/messages`.

https://platform.claude.com/docs/en/api/messages
"""

from marshmallow import fields

from gateway.schemas.answers import AnswerSchema, about, constant, one_of

_BLOCK = {"type": "object", "properties": {"type": {"type": "string"}}, "required": ["type"]}


class ThinkingTokensSchema(AnswerSchema):
    """The kinds of tokens in the answer."""

    thinking_tokens = fields.Integer()


class ServerToolUsageSchema(AnswerSchema):
    """The calls of hosted tools."""

    web_search_requests = fields.Integer()
    web_fetch_requests = fields.Integer()


class MessageUsageSchema(AnswerSchema):
    """The usage of the answer."""

    sometimes = ("server_tool_use",)

    input_tokens = fields.Integer(metadata=about("Excludes cached tokens."))
    cache_creation_input_tokens = fields.Integer()
    cache_read_input_tokens = fields.Integer()
    output_tokens = fields.Integer(metadata=about("Includes thinking."))
    output_tokens_details = fields.Nested(ThinkingTokensSchema)
    server_tool_use = fields.Nested(ServerToolUsageSchema)


class MessageSchema(AnswerSchema):
    """The model's message."""

    id = fields.String()
    type = constant("message")
    role = constant("assistant")
    model = fields.String(metadata=about("The model's full name."))
    content = fields.List(
        fields.Dict(),
        metadata={"items": _BLOCK, "description": "Blocks: `text`, `thinking`, `tool_use` and others."},
    )
    stop_reason = one_of(
        "end_turn",
        "max_tokens",
        "stop_sequence",
        "tool_use",
        "pause_turn",
        "refusal",
        "model_context_window_exceeded",
    )
    stop_sequence = fields.String(allow_none=True)
    usage = fields.Nested(MessageUsageSchema)


class TokenCountSchema(AnswerSchema):
    """The number of tokens that a request would send."""

    input_tokens = fields.Integer()
