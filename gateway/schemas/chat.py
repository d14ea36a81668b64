"""The body of `POST /v1/chat/completions`.

Its fields are OpenAI's, https://platform.openai.com/docs/api-reference/chat/create, plus `system_prompt`, `session_id`
and `project_id`. A type is checked only if a wrong one would cause trouble later; ignored fields may have any value.
"""

from typing import Any

from marshmallow import ValidationError, validates_schema

from gateway.schemas.answers import about
from gateway.schemas.errors import MISSING_MESSAGES
from gateway.schemas.fields import (
    CACHE_OPTIONS,
    CACHE_RETENTION,
    MODEL,
    STOP,
    TIER,
    TOP_K,
    Content,
    Count,
    Flag,
    LenientSchema,
    ListOf,
    LooseNumber,
    Object,
    ObjectOf,
    StopSequences,
    Text,
    Unchecked,
    between,
    ignored,
)
from gateway.turn import MAX_CHOICES

ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def _of(api: str, use: str) -> dict[str, str]:
    return {"description": f"From the {api} API: {use}."}


class ChatMessageSchema(LenientSchema):
    """A message. Other fields, which replayed answers may have, are kept unchanged.

    The dialect checks the fields: it refuses only new messages, and repairs the past.
    """

    role = Unchecked(
        required=True,
        metadata=about(f"One of: {', '.join(ROLES)}."),
        error_messages={"required": "Every message needs a role."},
    )
    content = Unchecked(metadata=about("A string, a list of content parts, or null."))
    name = Unchecked(metadata=about("Names one of several users. The model reads it before the text."))
    images = Unchecked(metadata=about("From Ollama: images in base64."))
    refusal = Unchecked(metadata=about("A replayed refusal."))
    tool_calls = Unchecked(metadata=about("The tool calls of a replayed answer."))
    function_call = Unchecked(metadata=about("The older form of `tool_calls`."))
    tool_call_id = Unchecked(metadata=about("In a tool's message: the id of its call."))
    is_error = Unchecked(metadata={"description": "In a tool's message: true if the tool failed."})


class StreamOptionsSchema(LenientSchema):
    """Options of a stream."""

    include_usage = Flag(metadata={"description": "Send the usage in a last chunk."})
    include_obfuscation = Flag(metadata={"description": "Accepted without effect."})


class ChatCompletionSchema(LenientSchema):
    """A chat completion request."""

    fast_hooks = LenientSchema.fast_hooks | {"require_messages"}

    messages = ListOf(
        ObjectOf(ChatMessageSchema()),
        metadata={
            "description": "The whole conversation, oldest message first. Required unless `input` is present."
        },
    )
    model = Text(metadata=MODEL)
    system_prompt = Text(metadata={"description": "Goes before the system messages of the conversation."})
    session_id = Text()
    project_id = Text()

    stream = Flag()
    stream_options = ObjectOf(StreamOptionsSchema())

    max_completion_tokens = LooseNumber(metadata={"description": "Limits the answer, including thinking."})
    max_tokens = LooseNumber(metadata={"description": "The older name of `max_completion_tokens`."})
    temperature = LooseNumber(metadata={"description": "Above 1 counts as 1."})
    top_p = LooseNumber()
    top_k = LooseNumber(metadata=TOP_K)
    stop = StopSequences(metadata=STOP)
    n = Count(validate=between(1, MAX_CHOICES), metadata={"description": "The number of answers."})

    tools = ListOf(Object())
    tool_choice = Unchecked()
    parallel_tool_calls = Flag()
    functions = ListOf(Object(), metadata={"description": "The older name of `tools`."})
    function_call = Unchecked(metadata={"description": "The older name of `tool_choice`."})
    response_format = Object()
    reasoning_effort = Text(metadata={"description": "none, minimal, low, medium, high, xhigh or max."})
    reasoning = Object(metadata={"description": "Its `effort` is the same as `reasoning_effort`."})
    thinking = Object(metadata={"description": "From Anthropic: `type` is enabled, adaptive or disabled."})
    modalities = ListOf(Text())
    audio = Object()
    logprobs = Flag()
    top_logprobs = Count(validate=between(0, 20))
    web_search_options = Object()

    frequency_penalty = ignored()
    logit_bias = ignored()
    metadata = ignored()
    prediction = ignored()
    presence_penalty = ignored()
    prompt_cache_key = ignored()
    prompt_cache_options = Unchecked(metadata=CACHE_OPTIONS)
    prompt_cache_retention = Unchecked(metadata=CACHE_RETENTION)
    safety_identifier = ignored()
    seed = ignored()
    service_tier = Unchecked(metadata=TIER)
    store = ignored()
    user = ignored()
    verbosity = ignored()

    # Cursor posts the bodies of other APIs to this URL and expects chat answers.
    input = Unchecked(metadata=_of("Responses", "replaces `messages`"))
    instructions = Text(metadata=_of("Responses", "replaces a system message"))
    max_output_tokens = LooseNumber(metadata=_of("Responses", "see `max_completion_tokens`"))
    text = Object(metadata=_of("Responses", "see `response_format` and `verbosity`"))
    system = Content(metadata=_of("Messages", "replaces a system message"))
    stop_sequences = ListOf(Text(), metadata=_of("Messages", "see `stop`"))

    def _load_fast(self, data: Any) -> dict[str, Any]:
        loaded = super()._load_fast(data)
        if not (loaded.get("messages") or loaded.get("input")):
            raise ValidationError(MISSING_MESSAGES, "messages")
        return loaded

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def require_messages(self, data: Any, original_data: Any, **kwargs: Any) -> None:
        """Require `messages` or `input`, even if other fields are wrong as well."""
        is_object = isinstance(original_data, dict)
        if is_object and not original_data.get("messages") and not original_data.get("input"):
            raise ValidationError(MISSING_MESSAGES, "messages")
