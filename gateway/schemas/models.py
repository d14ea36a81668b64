"""Answers of `/v1/models`."""

from marshmallow import fields

from gateway.schemas.answers import AnswerSchema, about, constant


class ModelSchema(AnswerSchema):
    """A model.

    https://platform.openai.com/docs/api-reference/models/object
    """

    id = fields.String()
    object = constant("model")
    created = fields.Integer(
        metadata=about("Unix time in seconds; always 0, because the CLI does not report it.")
    )
    owned_by = fields.String()


class ModelListSchema(AnswerSchema):
    """A list of models."""

    sometimes = ("models",)

    object = constant("list")
    data = fields.List(fields.Nested(ModelSchema))
    models = fields.List(
        fields.Dict(), metadata=about("Descriptions for Codex, which sends `client_version`.")
    )


class PricingSchema(AnswerSchema):
    """Prices; null if they are unknown."""

    input_cost_per_1k_tokens = fields.Float(allow_none=True)
    output_cost_per_1k_tokens = fields.Float(allow_none=True)
    currency = fields.String()


class ModelCapabilitiesSchema(AnswerSchema):
    """The capabilities and prices of a model."""

    id = fields.String()
    name = fields.String()
    description = fields.String()
    max_tokens = fields.Integer(
        allow_none=True, metadata=about("The largest number of tokens in one answer.")
    )
    supports_streaming = fields.Boolean()
    supports_tools = fields.Boolean()
    pricing = fields.Nested(PricingSchema)
    features = fields.List(fields.String())
    aliases = fields.List(fields.String())


class CapabilitiesSchema(AnswerSchema):
    """The capabilities of all models."""

    models = fields.List(fields.Nested(ModelCapabilitiesSchema))
    total = fields.Integer()
    provider = fields.String()
    adapter = fields.String()


class AnthropicModelSchema(AnswerSchema):
    """A model, in Anthropic's form.

    https://platform.claude.com/docs/en/api/models
    """

    id = fields.String()
    type = constant("model")
    display_name = fields.String()
    created_at = fields.String(metadata=about("Always in 1970, because the CLI does not report it."))
    lifecycle = fields.String()
    max_tokens = fields.Integer(allow_none=True)


class AnthropicModelListSchema(AnswerSchema):
    """A list of models, on one page."""

    data = fields.List(fields.Nested(AnthropicModelSchema))
    has_more = fields.Boolean()
    first_id = fields.String(allow_none=True)
    last_id = fields.String(allow_none=True)
