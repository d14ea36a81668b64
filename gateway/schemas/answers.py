"""The base of all answer schemas, and the error objects.

Most of these schemas only document: the dialects write the answers.
"""

from collections.abc import Collection
from typing import Any, ClassVar

from marshmallow import Schema, fields


def about(description: str) -> dict[str, Any]:
    """Return the metadata that describes a field on the OpenAPI page."""
    return {"description": description}


class AnswerSchema(Schema):
    """An object in an answer. All its fields are always present, except the `sometimes` ones."""

    sometimes: ClassVar[Collection[str]] = ()

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Mark the field as required, unless it is one of `sometimes`."""
        field_obj.required = field_name not in self.sometimes


def constant(value: str | bool, description: str = "") -> fields.Constant[Any]:
    """Return a field that always has this value."""
    kind = "boolean" if isinstance(value, bool) else "string"
    described = about(description) if description else {}
    return fields.Constant(value, metadata={"type": kind, "enum": [value], **described})


def one_of(*values: str) -> fields.String:
    """Return a field for a string that is one of `values`."""
    return fields.String(metadata={"enum": list(values)})


def always_null() -> fields.Raw:
    """Return a field that exists in OpenAI's answers, but is always null here."""
    return fields.Raw(metadata={"type": "null"})


class StreamEventSchema(AnswerSchema):
    """An event of a stream."""

    sometimes = ("event",)

    event = fields.String(metadata=about("The type of the event, in APIs that have types."))
    data = fields.String(metadata=about("JSON, or `[DONE]` at the end of OpenAI's streams."))


class ErrorDetailsSchema(AnswerSchema):
    """The details of an error."""

    message = fields.String()
    type = fields.String()
    param = fields.String(allow_none=True, metadata=about("The field of the request that caused the error."))
    code = fields.String()


class ErrorSchema(AnswerSchema):
    """An error.

    https://platform.openai.com/docs/guides/error-codes
    """

    error = fields.Nested(ErrorDetailsSchema)


class AnthropicErrorDetailsSchema(AnswerSchema):
    """The details of an error, in Anthropic's form."""

    sometimes = ("details",)

    type = fields.String()
    message = fields.String()
    details = fields.Dict(metadata=about("Errors about threads have an `error_code` in it."))


class AnthropicErrorSchema(AnswerSchema):
    """An error of the Messages API.

    https://platform.claude.com/docs/en/api/errors
    """

    type = constant("error")
    error = fields.Nested(AnthropicErrorDetailsSchema)
    request_id = fields.String()
