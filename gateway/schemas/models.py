"""Answers of `/v1/models`."""

from marshmallow import fields

from gateway.schemas.answers import AnswerSchema, about, constant


def _tokens(description: str = "") -> fields.Integer:
    return fields.Integer(metadata=about(description) if description else {})


class ModelSchema(AnswerSchema):
    """A model.

    https://platform.openai.com/docs/api-reference/models/object
    """

    sometimes = (
        *("context_length", "context_window", "max_model_len", "max_input_tokens"),
        *("max_output_tokens", "max_completion_tokens", "pricing", "shutdown_date"),
    )

    id = fields.String()
    object = constant("model")
    created = fields.Integer(
        metadata=about("Unix time in seconds; always 0, because the CLI does not report it.")
    )
    owned_by = fields.String()
    name = fields.String(metadata=about("The name for people; an alias has its own in parentheses."))
    canonical_slug = fields.String(metadata=about("The id of the model that an alias stands for."))
    description = fields.String()
    context_length = _tokens("The context window. The three fields after it say the same.")
    context_window = _tokens()
    max_model_len = _tokens()
    max_input_tokens = _tokens()
    max_output_tokens = _tokens("The longest answer. `max_completion_tokens` says the same.")
    max_completion_tokens = _tokens()
    architecture = fields.Dict(metadata=about("`input_modalities`, `output_modalities` and others."))
    capabilities = fields.Dict(
        metadata=about("`function_calling`, `vision`, `reasoning`, `completion_chat`.")
    )
    supported_parameters = fields.List(fields.String())
    pricing = fields.Dict(metadata=about("US dollars per token as strings; left out if unknown."))
    top_provider = fields.Dict()
    shutdown_date = fields.String(metadata=about("The date on which Anthropic retires the model."))


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
    lifecycle = fields.String(metadata={"enum": ["active", "deprecated", "retired"]})
    deprecated_at = fields.String(allow_none=True)
    retires_at = fields.String(allow_none=True)
    line = fields.String(allow_none=True)
    max_input_tokens = fields.Integer(allow_none=True)
    max_tokens = fields.Integer(allow_none=True)
    capabilities = fields.Dict(metadata=about("The features that work through the gateway."))


class AnthropicModelListSchema(AnswerSchema):
    """A list of models, on one page."""

    data = fields.List(fields.Nested(AnthropicModelSchema))
    has_more = fields.Boolean()
    first_id = fields.String(allow_none=True)
    last_id = fields.String(allow_none=True)
