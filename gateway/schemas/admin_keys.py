"""Bodies and answers of `/v1/admin/keys`."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from gateway.hosted import HOSTED_NAMES
from gateway.schemas.answers import AnswerSchema, about, constant, one_of
from gateway.schemas.fields import Count, Decimal, Flag, ListOf, Text, at_least
from gateway.schemas.pages import PageQuerySchema, PaginationSchema

_NAME = validate.Length(min=1, max=200, error="Expected 1 to {max} characters.")
_NOTES = validate.Length(max=2000, error="Expected at most {max} characters.")
_NAMES = validate.Length(max=100, error="Expected at most {max} items.")
STATES = ("active", "expired", "revoked")


class LimitsSchema(Schema):
    """Limits of a key, which replace the gateway's. 0 means no limit, and null restores the gateway's limit."""

    requests_per_minute = Count(allow_none=True, validate=at_least(0))
    tokens_per_minute = Count(allow_none=True, validate=at_least(0))
    answers_at_once = Count(allow_none=True, validate=at_least(0))
    tokens_per_day = Count(allow_none=True, validate=at_least(0))
    tokens_per_month = Count(allow_none=True, validate=at_least(0))
    usd_per_day = Decimal(allow_none=True, validate=at_least(0))
    usd_per_month = Decimal(allow_none=True, validate=at_least(0))


class FallbackSchema(Schema):
    """The alternative for when all accounts of a key are out of quota. It needs a model or an account, and a budget."""

    model = Text(allow_none=True, validate=_NAME, metadata=about("Null: the model of the request."))
    account = Text(allow_none=True, validate=_NAME, metadata=about("Null: the accounts of the key."))
    usd_per_day = Decimal(allow_none=True, validate=at_least(0))
    usd_per_month = Decimal(allow_none=True, validate=at_least(0))


def _list_of_names(description: str, *choices: str) -> ListOf:
    item = Text(validate=validate.OneOf(choices) if choices else _NAME)
    return ListOf(item, allow_none=True, validate=_NAMES, metadata=about(description))


class KeyFieldsSchema(Schema):
    """The fields of a key that can be set."""

    is_admin = Flag(metadata=about("Let the key manage the gateway and see the data of all keys."))
    expires_at = fields.AwareDateTime(
        format="iso", allow_none=True, metadata=about("Null: never. A past time expires the key now.")
    )
    expires_in_days = Decimal(
        validate=validate.Range(min=0, max=36_500), metadata=about("In place of a time.")
    )
    allowed_models = _list_of_names("Ids or aliases of models. Null: all.")
    allowed_projects = _list_of_names("Ids of projects. Null: all.")
    hosted_tools = _list_of_names("Null: as the gateway's setting says.", *HOSTED_NAMES)
    accounts = _list_of_names("Names of accounts. Null: all that are shared.")
    fallback = fields.Nested(FallbackSchema, allow_none=True, metadata=about("Null: none."))
    limits = fields.Nested(LimitsSchema)
    team_id = Text(allow_none=True, metadata=about("The team whose budget the key shares. Null: none."))
    notes = Text(allow_none=True, validate=_NOTES)
    keeps_bodies = Flag(metadata=about("Keep the bodies of the key's requests and answers for a time."))

    @validates_schema
    def check_expiry(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Check that the end is given once."""
        if "expires_at" in data and "expires_in_days" in data:
            raise ValidationError(
                "Expected only one of 'expires_at' and 'expires_in_days'.", "expires_in_days"
            )


class NewKeySchema(KeyFieldsSchema):
    """A new key."""

    name = Text(required=True, validate=_NAME)


class KeyChangeSchema(KeyFieldsSchema):
    """Changes of a key. Fields that are left out stay as they are."""

    name = Text(validate=_NAME)


class KeyQuerySchema(PageQuerySchema):
    """The keys to list."""

    state = fields.String(validate=validate.OneOf(STATES))
    team_id = fields.String()
    q = fields.String(metadata=about("A part of the name, the notes, the id or the beginning of the key."))


class BudgetSchema(AnswerSchema):
    """A budget, and how much of it is used."""

    name = fields.String(metadata=about("For example `usd_per_day`."))
    team_id = fields.String(allow_none=True, metadata=about("Null for a budget of the key alone."))
    limit = fields.Float()
    used = fields.Float()
    remaining = fields.Float(metadata=about("Running answers may have reserved a part of it."))
    resets_at = fields.DateTime(format="iso")


class KeySchema(AnswerSchema):
    """A key without its secret."""

    object = constant("key")
    id = fields.String()
    prefix = fields.String(metadata=about("The beginning of the secret."))
    name = fields.String()
    state = one_of(*STATES)
    is_admin = fields.Boolean()
    created_at = fields.DateTime(format="iso")
    expires_at = fields.DateTime(format="iso", allow_none=True)
    last_used_at = fields.DateTime(format="iso", allow_none=True)
    allowed_models = fields.List(fields.String(), allow_none=True)
    allowed_projects = fields.List(fields.String(), allow_none=True)
    hosted_tools = fields.List(fields.String(), allow_none=True)
    accounts = fields.List(fields.String(), allow_none=True)
    fallback = fields.Nested(FallbackSchema, allow_none=True)
    limits = fields.Dict(metadata=about("The key's own limits, which replace the gateway's."))
    team_id = fields.String(allow_none=True)
    notes = fields.String(allow_none=True)
    keeps_bodies = fields.Boolean()
    total_requests = fields.Integer()
    total_tokens = fields.Integer()
    total_cost = fields.Float(metadata=about("In USD."))


class KeyWithBudgetsSchema(KeySchema):
    """A key, with the state of its budgets."""

    budgets = fields.List(fields.Nested(BudgetSchema))
    fallback_budgets = fields.List(fields.Nested(BudgetSchema))


class FallbackStateSchema(AnswerSchema):
    """The alternative for when all accounts of a key are out of quota, and the rest of its own budgets."""

    model = fields.String(allow_none=True, metadata=about("Null: the model of the request."))
    account = fields.String(allow_none=True, metadata=about("Null: the accounts of the key."))
    budgets = fields.List(fields.Nested(BudgetSchema))


class NewKeyAnswerSchema(KeySchema):
    """A key with its secret, which is never shown again."""

    secret = fields.String()


class KeyListSchema(AnswerSchema):
    """A page of keys, the newest first."""

    object = constant("list")
    data = fields.List(fields.Nested(KeySchema))
    pagination = fields.Nested(PaginationSchema)
