"""What `POST /v1/chat/completions` and `POST /v1/completions` answer.

https://platform.openai.com/docs/api-reference/chat/object, https://platform.openai.com/docs/api-reference/completions/object
"""

from __future__ import annotations

from marshmallow import fields

from gateway.schemas.answers import AnswerSchema, always_null, constant, one_of

_COST = {"description": "USD; not there if it is unknown."}


class PromptTokensSchema(AnswerSchema):
    """Which of the prompt's tokens the cache had, or took."""

    cached_tokens = fields.Integer()
    cache_write_tokens = fields.Integer()


class CompletionTokensSchema(AnswerSchema):
    """What the answer's tokens were."""

    reasoning_tokens = fields.Integer()


class ChatUsageSchema(AnswerSchema):
    """What the answer has used, of all choices together."""

    sometimes = ("cost",)

    prompt_tokens = fields.Integer(metadata={"description": "The cached ones included."})
    completion_tokens = fields.Integer(metadata={"description": "The thinking included."})
    total_tokens = fields.Integer()
    prompt_tokens_details = fields.Nested(PromptTokensSchema)
    completion_tokens_details = fields.Nested(CompletionTokensSchema)
    cost = fields.Float(metadata=_COST)


class CalledFunctionSchema(AnswerSchema):
    """A function that the model calls."""

    name = fields.String()
    arguments = fields.String(metadata={"description": "JSON."})


class ToolCallSchema(AnswerSchema):
    """A call of one of the request's tools."""

    id = fields.String()
    type = constant("function")
    function = fields.Nested(CalledFunctionSchema)


class AssistantMessageSchema(AnswerSchema):
    """The model's message."""

    sometimes = ("reasoning_content", "tool_calls", "function_call")

    role = constant("assistant")
    content = fields.String(allow_none=True)
    refusal = fields.String(allow_none=True)
    reasoning_content = fields.String(metadata={"description": "What the model thought."})
    tool_calls = fields.List(fields.Nested(ToolCallSchema))
    function_call = fields.Nested(
        CalledFunctionSchema,
        metadata={"description": "In place of `tool_calls`, where `functions` were sent."},
    )


class ChoiceSchema(AnswerSchema):
    """One answer."""

    index = fields.Integer()
    message = fields.Nested(AssistantMessageSchema)
    logprobs = always_null()
    finish_reason = one_of("stop", "length", "tool_calls", "function_call", "content_filter")


class ChatAnswerSchema(AnswerSchema):
    """A chat completion."""

    id = fields.String()
    object = constant("chat.completion")
    created = fields.Integer(metadata={"description": "Unix seconds."})
    model = fields.String(metadata={"description": "The model's full name."})
    choices = fields.List(fields.Nested(ChoiceSchema))
    usage = fields.Nested(ChatUsageSchema)
    session_id = fields.String(
        allow_none=True, metadata={"description": "The session that the answer belongs to."}
    )
    project_id = fields.String(allow_none=True)


class TextChoiceSchema(AnswerSchema):
    """One answer to one prompt."""

    text = fields.String()
    index = fields.Integer()
    logprobs = always_null()
    finish_reason = one_of("stop", "length", "content_filter")


class CompletionAnswerSchema(AnswerSchema):
    """A legacy completion."""

    id = fields.String()
    object = constant("text_completion")
    created = fields.Integer(metadata={"description": "Unix seconds."})
    model = fields.String(metadata={"description": "The model's full name."})
    choices = fields.List(fields.Nested(TextChoiceSchema))
    usage = fields.Nested(ChatUsageSchema)
