"""Answers of `POST /v1/chat/completions` and `POST /v1/completions`.

https://platform.openai.com/docs/api-reference/chat/object and
https://platform.openai.com/docs/api-reference/completions/object
"""

from marshmallow import fields

from gateway.schemas.answers import AnswerSchema, about, always_null, constant, one_of

COST = about("In USD; missing if it is unknown.")
SECONDS = about("Unix time in seconds.")


class PromptTokensSchema(AnswerSchema):
    """The tokens of the prompt that were read from or written to the cache."""

    cached_tokens = fields.Integer()
    cache_write_tokens = fields.Integer()


class CompletionTokensSchema(AnswerSchema):
    """The kinds of tokens in the answer."""

    reasoning_tokens = fields.Integer()


class ChatUsageSchema(AnswerSchema):
    """The usage of all choices together."""

    sometimes = ("cost",)

    prompt_tokens = fields.Integer(metadata=about("Includes cached tokens."))
    completion_tokens = fields.Integer(metadata=about("Includes thinking."))
    total_tokens = fields.Integer()
    prompt_tokens_details = fields.Nested(PromptTokensSchema)
    completion_tokens_details = fields.Nested(CompletionTokensSchema)
    cost = fields.Float(metadata=COST)


class CalledFunctionSchema(AnswerSchema):
    """A function that the model calls."""

    name = fields.String()
    arguments = fields.String(metadata=about("JSON."))


class ToolCallSchema(AnswerSchema):
    """A call of one of the request's tools."""

    id = fields.String()
    type = constant("function")
    function = fields.Nested(CalledFunctionSchema)


class AssistantMessageSchema(AnswerSchema):
    """The model's message."""

    sometimes = ("reasoning_content", "tool_calls", "function_call", "annotations", "encrypted_content")

    role = constant("assistant")
    content = fields.String(allow_none=True)
    refusal = fields.String(allow_none=True)
    reasoning_content = fields.String(metadata=about("The model's thinking."))
    annotations = fields.List(fields.Dict(), metadata=about("The citations of a web search."))
    encrypted_content = fields.String(metadata=about("The results of a web search, for the next request."))
    tool_calls = fields.List(fields.Nested(ToolCallSchema))
    function_call = fields.Nested(
        CalledFunctionSchema, metadata=about("Replaces `tool_calls` if the request had `functions`.")
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
    created = fields.Integer(metadata=SECONDS)
    model = fields.String(metadata=about("The model's full name."))
    choices = fields.List(fields.Nested(ChoiceSchema))
    usage = fields.Nested(ChatUsageSchema)
    session_id = fields.String(allow_none=True, metadata=about("The session that the answer belongs to."))
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
    created = fields.Integer(metadata=SECONDS)
    model = fields.String(metadata=about("The model's full name."))
    choices = fields.List(fields.Nested(TextChoiceSchema))
    usage = fields.Nested(ChatUsageSchema)
