"""Shapes of `/v1/models`."""

from __future__ import annotations

from marshmallow import Schema, fields


class ModelSchema(Schema):
    """https://platform.openai.com/docs/api-reference/models/object"""

    id = fields.String()
    object = fields.Constant("model")
    created = fields.Integer(metadata={"description": "Unix seconds; 0, as the CLI does not tell."})
    owned_by = fields.String()


class ModelListSchema(Schema):
    """A list of models."""

    object = fields.Constant("list")
    data = fields.List(fields.Nested(ModelSchema))


class PricingSchema(Schema):
    """Prices; null where they are unknown."""

    input_cost_per_1k_tokens = fields.Float(allow_none=True)
    output_cost_per_1k_tokens = fields.Float(allow_none=True)
    currency = fields.String()


class ModelCapabilitiesSchema(Schema):
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


class CapabilitiesSchema(Schema):
    """All models' capabilities."""

    models = fields.List(fields.Nested(ModelCapabilitiesSchema))
    total = fields.Integer()
    provider = fields.String()
    adapter = fields.String()
