"""The bodies of `POST /v1/messages` and `POST /v1/messages/count_tokens`.

Their fields are those in https://platform.claude.com/docs/en/api/messages. Ignored fields may have any value.
"""

from marshmallow import EXCLUDE, INCLUDE, validate

from gateway.schemas.answers import about
from gateway.schemas.errors import MISSING_MESSAGES
from gateway.schemas.fields import (
    MODEL,
    Content,
    Flag,
    LenientSchema,
    ListOf,
    LooseNumber,
    Object,
    ObjectOf,
    Text,
    Unchecked,
    ignored,
    refused,
)

ROLES = ("user", "assistant", "system")

_BLOCKS = {
    "type": ["string", "array"],
    "items": {"type": "object"},
    "description": "A string or a list of content blocks.",
}


class MessageParamSchema(LenientSchema):
    """A message. The dialect checks the fields: it refuses only new messages, and repairs the past."""

    role = Unchecked(
        required=True,
        metadata=about(f"One of: {', '.join(ROLES)}."),
        error_messages={"required": "Every message needs a role."},
    )
    content = Unchecked(
        required=True,
        metadata=about("A string or a list of content blocks."),
        error_messages={"required": "Every message needs content."},
    )


class OutputConfigSchema(LenientSchema):
    """Options of the output."""

    effort = Text(metadata=about("low, medium, high, xhigh or max."))
    format = Object(
        metadata={"description": "`type` is json_schema; the answer follows the JSON schema in `schema`."}
    )


class CountTokensSchema(LenientSchema):
    """A request whose tokens are counted. Fields that do not count may have any value."""

    class Meta:
        unknown = EXCLUDE

    messages = ListOf(
        ObjectOf(MessageParamSchema()),
        required=True,
        validate=validate.Length(min=1, error=MISSING_MESSAGES),
        error_messages={"required": MISSING_MESSAGES},
    )
    model = Text(metadata=MODEL)
    system = Content(metadata=_BLOCKS)
    tools = ListOf(
        Object(), metadata={"description": "Custom tools. Tools that Anthropic defines are not supported."}
    )
    tool_choice = Object(metadata={"description": "`type` is auto, any, tool or none."})
    mcp_servers = ListOf(
        Object(),
        metadata=about(
            "Servers, each with a `name` and a `url`. `tools` has an `mcp_toolset` for each of them."
        ),
    )
    thinking = Object(metadata={"description": "`type` is enabled, adaptive or disabled."})
    output_config = ObjectOf(OutputConfigSchema())
    output_format = Object(metadata={"description": "The older name of `output_config.format`."})
    cache_control = Unchecked(
        metadata={"description": "Accepted everywhere. The CLI marks automatically what to cache."}
    )


class MessagesSchema(CountTokensSchema):
    """A Messages API request."""

    class Meta:
        unknown = INCLUDE

    max_tokens = LooseNumber(
        required=True,
        error_messages={"required": "This field is required."},
        metadata={"description": "Limits the answer, including thinking."},
    )
    stream = Flag()
    stop_sequences = ListOf(Text())
    temperature = LooseNumber()
    top_p = LooseNumber()
    thread = Object(
        metadata=about(
            "`type` is create, or continue with `previous_message_id`: the gateway holds the earlier messages."
        )
    )
    container = refused()
    top_k = LooseNumber(metadata={"description": "Used if the model accepts it."})
    metadata = ignored()
    service_tier = Unchecked(metadata=about("auto or standard_only."))
    context_management = Object(
        metadata={"description": "`edits` of the types clear_tool_uses and clear_thinking."}
    )
    inference_geo = ignored()
    speed = Unchecked(metadata=about("`fast` asks for fast mode, at a higher price, on models that have it."))
