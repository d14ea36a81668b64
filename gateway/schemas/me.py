"""The answer of `/v1/me`."""

from marshmallow import fields

from gateway.schemas.admin_keys import BudgetSchema, FallbackStateSchema
from gateway.schemas.answers import AnswerSchema, about, constant


class MeSchema(AnswerSchema):
    """The caller's key: what it may do, and how much of its budgets is used."""

    object = constant("me")
    id = fields.String(allow_none=True, metadata=about("Null if the gateway asks for no keys."))
    name = fields.String(allow_none=True)
    is_admin = fields.Boolean()
    expires_at = fields.DateTime(format="iso", allow_none=True)
    allowed_models = fields.List(fields.String(), allow_none=True, metadata=about("Null: all."))
    allowed_projects = fields.List(fields.String(), allow_none=True, metadata=about("Null: all."))
    hosted_tools = fields.List(fields.String())
    limits = fields.Dict(metadata=about("The limits that apply, the gateway's included. 0 means no limit."))
    team_id = fields.String(allow_none=True)
    fallback = fields.Nested(
        FallbackStateSchema, allow_none=True, metadata=about("Answers if all accounts are out of quota.")
    )
    budgets = fields.List(fields.Nested(BudgetSchema), metadata=about("The budgets of its team, too."))
