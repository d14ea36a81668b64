"""Shapes of `/v1/models`."""

from __future__ import annotations

from marshmallow import fields

from gateway.schemas.answers import AnswerSchema, constant


class ModelSchema(AnswerSchema):
    """https://platform.openai.com/docs/api-reference/models/object"""

    id = fields.String()
    object = constant("model")
    created = fields.Integer(metadata={"description": "Unix seconds; 0, as the CLI does not tell."})
    owned_by = fields.String()


class ModelListSchema(AnswerSchema):
    """A list of models."""

    object = constant("list")
    data = fields.List(fields.Nested(ModelSchema))


class PricingSchema(AnswerSchema):
    """Prices; null where they are unknown."""

    input_cost_per_1k_tokens = fields.Float(allow_none=True)
    output_cost_per_1k_tokens = fields.Float(allow_none=True)
    currency = fields.String()


class ModelCapabilitiesSchema(AnswerSchema):
    """What a model can do and costs."""

    id = fields.String()
    name = fields.String()
    description = fields.String()
    max_tokens = fields.Integer(
        allow_none=True, metadata={"description": "The most it writes in one answer."}
    )
    supports_streaming = fields.Boolean()
    supports_tools = fields.Boolean()
    pricing = fields.Nested(PricingSchema)
    features = fields.List(fields.String())
    aliases = fields.List(fields.String())


class CapabilitiesSchema(AnswerSchema):
    """All models' capabilities."""

    models = fields.List(fields.Nested(ModelCapabilitiesSchema))
    total = fields.Integer()
    provider = fields.String()
    adapter = fields.String()


class AnthropicModelSchema(AnswerSchema):
    """https://platform.claude.com/docs/en/api/models"""

    id = fields.String()
    type = constant("model")
    display_name = fields.String()
    created_at = fields.String(metadata={"description": "1970, as the CLI does not tell."})
    lifecycle = fields.String()
    max_tokens = fields.Integer(allow_none=True)


class AnthropicModelListSchema(AnswerSchema):
    """A list of models, on one page."""

    data = fields.List(fields.Nested(AnthropicModelSchema))
    has_more = fields.Boolean()
    first_id = fields.String(allow_none=True)
    last_id = fields.String(allow_none=True)
