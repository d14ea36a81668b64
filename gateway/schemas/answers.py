"""What the schemas of answers have in common, and the error objects.

Most of these schemas only describe: what writes an answer is its dialect.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from marshmallow import Schema, fields


class AnswerSchema(Schema):
    """An object in an answer. All its fields are always there, but for those that `sometimes` names."""

    sometimes: ClassVar[Collection[str]] = ()

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Describe the field as required, or not."""
        field_obj.required = field_name not in self.sometimes


def constant(value: str | bool, description: str = "") -> fields.Constant[Any]:
    """A field that always has this value."""
    metadata = {"type": "boolean" if isinstance(value, bool) else "string", "enum": [value]}
    return fields.Constant(
        value, metadata={**metadata, "description": description} if description else metadata
    )


def one_of(*values: str, nullable: bool = False) -> fields.String:
    """A string that is one of `values`."""
    return fields.String(
        allow_none=nullable, metadata={"enum": [*values, None] if nullable else list(values)}
    )


def always_null() -> fields.Raw:
    """A field that OpenAI's answers have and that is never used."""
    return fields.Raw(metadata={"type": "null"})


class StreamEventSchema(AnswerSchema):
    """One event of a stream."""

    sometimes = ("event",)

    event = fields.String(metadata={"description": "Its type, where the API has types."})
    data = fields.String(metadata={"description": "JSON; at the end of OpenAI's streams `[DONE]`."})


class FaultSchema(AnswerSchema):
    """What went wrong."""

    message = fields.String()
    type = fields.String()
    param = fields.String(
        allow_none=True, metadata={"description": "The field of the request that is wrong."}
    )
    code = fields.String()


class ErrorSchema(AnswerSchema):
    """An error. https://platform.openai.com/docs/guides/error-codes"""

    error = fields.Nested(FaultSchema)


class AnthropicFaultSchema(AnswerSchema):
    """What went wrong, in Anthropic's words."""

    type = fields.String()
    message = fields.String()


class AnthropicErrorSchema(AnswerSchema):
    """An error of the Messages API. https://platform.claude.com/docs/en/api/errors"""

    type = constant("error")
    error = fields.Nested(AnthropicFaultSchema)
    request_id = fields.String()
