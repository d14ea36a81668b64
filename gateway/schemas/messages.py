"""The bodies of `POST /v1/messages` and `POST /v1/messages/count_tokens`.

The fields are those of https://platform.claude.com/docs/en/api/messages. What is ignored anyway may be anything.
"""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, INCLUDE, fields, validate

from gateway.schemas.fields import (
    Content,
    Count,
    Decimal,
    Flag,
    LenientSchema,
    ListOf,
    Object,
    ObjectOf,
    Text,
)
from gateway.turn import EFFORTS

ROLES = ("user", "assistant", "system")

_BLOCKS = {
    "type": ["string", "array"],
    "items": {"type": "object"},
    "description": "A string or a list of content blocks.",
}
_ONE_OF = "Expected one of: {choices}."


def _share() -> Decimal:
    return Decimal(validate=validate.Range(min=0, max=1, error="Expected a number from 0 to 1."))


def _ignored() -> fields.Raw:
    return fields.Raw(metadata={"description": "Accepted without effect; named in `x-ignored-parameters`."})


class MessageParamSchema(LenientSchema):
    """One message."""

    role = Text(
        required=True,
        validate=validate.OneOf(ROLES, error=_ONE_OF),
        error_messages={"required": "Every message needs a role."},
    )
    content = Content(
        required=True, metadata=_BLOCKS, error_messages={"required": "Every message needs content."}
    )


class OutputConfigSchema(LenientSchema):
    """How the answer is written."""

    effort = Text(validate=validate.OneOf(EFFORTS, error=_ONE_OF))
    format = Object(metadata={"description": "`type` is json_schema, `schema` the schema to follow."})


class CountTokensSchema(LenientSchema):
    """A request whose tokens are to be counted. What does not count may be anything."""

    class Meta:
        unknown = EXCLUDE

    messages = ListOf(
        ObjectOf(MessageParamSchema()),
        required=True,
        validate=validate.Length(min=1, error="At least one message is needed."),
        error_messages={"required": "At least one message is needed."},
    )
    model = Text(metadata={"description": "A model's id or alias. Left out: the configured default."})
    system = Content(metadata=_BLOCKS)
    tools = ListOf(Object(), metadata={"description": "Custom tools. Anthropic's own are refused."})
    tool_choice = Object(metadata={"description": "`type` is auto, any, tool or none."})
    thinking = Object(metadata={"description": "`type` is enabled, adaptive or disabled."})
    output_config = ObjectOf(OutputConfigSchema())
    output_format = Object(metadata={"description": "Older spelling of `output_config.format`."})
    cache_control: fields.Field[Any] = fields.Raw(
        metadata={"description": "Accepted everywhere. The CLI marks what to cache by itself."}
    )


class MessagesSchema(CountTokensSchema):
    """A Messages API request."""

    class Meta:
        unknown = INCLUDE

    max_tokens = Count(
        required=True,
        validate=validate.Range(min=1, error="Expected 1 or more."),
        error_messages={"required": "It is required."},
        metadata={"description": "Limits the answer, thinking included."},
    )
    stream = Flag()
    stop_sequences = ListOf(Text())
    temperature = _share()
    top_p = _share()
    container: fields.Field[Any] = fields.Raw(metadata={"description": "Refused."})
    mcp_servers: fields.Field[Any] = fields.Raw(metadata={"description": "Refused."})
    top_k = _ignored()
    metadata = _ignored()
    service_tier = _ignored()
    context_management = _ignored()
    inference_geo = _ignored()
    speed = _ignored()
