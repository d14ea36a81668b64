"""The body of `POST /v1/chat/completions`.

The fields are those of https://platform.openai.com/docs/api-reference/chat/create, and `system_prompt`,
`session_id` and `project_id`. Types are checked where a wrong one would mean trouble later; what is ignored
anyway may be anything.
"""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from gateway.schemas.errors import MISSING_MESSAGES
from gateway.schemas.fields import (
    Content,
    Count,
    Decimal,
    Flag,
    LenientSchema,
    ListOf,
    Object,
    ObjectOf,
    StopSequences,
    Text,
)

#: How many answers one request may ask for.
MAX_CHOICES = 8

ROLES = ("system", "developer", "user", "assistant", "tool", "function")

_CONTENT_DOC = {
    "type": ["string", "array"],
    "items": {"type": "object"},
    "description": "A string, a list of content parts, or null.",
}
_STOP_DOC = {"type": ["string", "array"], "items": {"type": "string"}, "maxItems": StopSequences.LIMIT}


def _at_least_one() -> validate.Range:
    return validate.Range(min=1, error="Expected 1 or more.")


def _between(low: int, high: int) -> validate.Range:
    return validate.Range(min=low, max=high, error=f"Expected a number from {low} to {high}.")


def _ignored() -> fields.Raw:
    return fields.Raw(metadata={"description": "Accepted without effect; named in `x-ignored-parameters`."})


def _of(api: str, use: str) -> dict[str, str]:
    return {"description": f"From the {api} API: {use}."}


class ChatMessageSchema(LenientSchema):
    """One message. Fields that replayed answers carry besides are kept as they are."""

    role = Text(
        required=True,
        validate=validate.OneOf(ROLES, error="Expected one of: {choices}."),
        error_messages={"required": "Every message needs a role."},
    )
    content = Content(metadata=_CONTENT_DOC)
    name = fields.Raw(metadata={"description": "Accepted without effect."})
    refusal = Text()
    tool_calls = ListOf(Object())
    function_call = Object()
    tool_call_id = Text()
    is_error: fields.Field[Any] = fields.Raw(
        metadata={"description": "In a tool's message: the tool failed."}
    )


class StreamOptionsSchema(LenientSchema):
    """How a stream is sent."""

    include_usage = Flag(metadata={"description": "Send one last chunk with the usage."})
    include_obfuscation = Flag(metadata={"description": "Accepted without effect."})


class ChatCompletionSchema(LenientSchema):
    """A chat completion request."""

    messages = ListOf(
        ObjectOf(ChatMessageSchema()),
        metadata={
            "description": "The whole conversation, oldest message first. Needed, unless `input` is there."
        },
    )
    model = Text(metadata={"description": "A model's id or alias. Left out: the configured default."})
    system_prompt = Text(metadata={"description": "Goes before the system messages of the conversation."})
    session_id = Text()
    project_id = Text()

    stream = Flag()
    stream_options = ObjectOf(StreamOptionsSchema())

    max_completion_tokens = Count(
        validate=_at_least_one(), metadata={"description": "Limits the answer, thinking included."}
    )
    max_tokens = Count(validate=_at_least_one(), metadata={"description": "Older spelling of the same."})
    temperature = Decimal(validate=_between(0, 2), metadata={"description": "Above 1 counts as 1."})
    top_p = Decimal(validate=_between(0, 1))
    stop = StopSequences(metadata=_STOP_DOC)
    n = Count(validate=_between(1, MAX_CHOICES), metadata={"description": "How many answers to write."})

    tools = ListOf(Object())
    tool_choice: fields.Field[Any] = fields.Raw()
    parallel_tool_calls = Flag()
    functions = ListOf(Object(), metadata={"description": "Older spelling of `tools`."})
    function_call: fields.Field[Any] = fields.Raw(
        metadata={"description": "Older spelling of `tool_choice`."}
    )
    response_format = Object()
    reasoning_effort = Text(metadata={"description": "none, minimal, low, medium, high, xhigh or max."})
    reasoning = Object(metadata={"description": "`effort` in it is the same."})
    thinking = Object(metadata={"description": "Anthropic's: `type` is enabled, adaptive or disabled."})
    modalities = ListOf(Text())
    audio = Object()
    logprobs = Flag()
    top_logprobs = Count(validate=_between(0, 20))
    web_search_options = Object()

    frequency_penalty = _ignored()
    logit_bias = _ignored()
    metadata = _ignored()
    prediction = _ignored()
    presence_penalty = _ignored()
    prompt_cache_key = _ignored()
    prompt_cache_retention = _ignored()
    safety_identifier = _ignored()
    seed = _ignored()
    service_tier = _ignored()
    store = _ignored()
    user = _ignored()
    verbosity = _ignored()

    # Cursor posts the bodies of other APIs here; they are answered as chat all the same.
    input: fields.Field[Any] = fields.Raw(metadata=_of("Responses", "in place of `messages`"))
    instructions = Text(metadata=_of("Responses", "in place of a system message"))
    max_output_tokens = Count(
        validate=_at_least_one(), metadata=_of("Responses", "see `max_completion_tokens`")
    )
    text = Object(metadata=_of("Responses", "see `response_format` and `verbosity`"))
    system = Content(metadata=_of("Messages", "in place of a system message"))
    stop_sequences = ListOf(Text(), metadata=_of("Messages", "see `stop`"))

    def _load(self, data: Any) -> dict[str, Any]:
        loaded = super()._load(data)
        if not (loaded.get("messages") or loaded.get("input")):
            raise ValidationError(MISSING_MESSAGES, "messages")
        return loaded

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def need_messages(self, data: Any, original_data: Any, **kwargs: Any) -> None:
        """Somebody has to say something, whatever else is wrong."""
        is_object = isinstance(original_data, dict)
        if is_object and not original_data.get("messages") and not original_data.get("input"):
            raise ValidationError(MISSING_MESSAGES, "messages")
