"""Bodies and answers of `/v1/admin/teams`."""

from marshmallow import Schema, fields, validate

from gateway.schemas.admin_keys import BudgetSchema
from gateway.schemas.answers import AnswerSchema, about, constant
from gateway.schemas.fields import Count, Decimal, Text, at_least

_NAME = validate.Length(min=1, max=200, error="Expected 1 to {max} characters.")
_NOTES = validate.Length(max=2000, error="Expected at most {max} characters.")


class TeamLimitsSchema(Schema):
    """Budgets that the keys of a team share. 0 and null mean no limit."""

    tokens_per_day = Count(allow_none=True, validate=at_least(0))
    tokens_per_month = Count(allow_none=True, validate=at_least(0))
    usd_per_day = Decimal(allow_none=True, validate=at_least(0))
    usd_per_month = Decimal(allow_none=True, validate=at_least(0))


class TeamChangeSchema(Schema):
    """Changes of a team. Fields that are left out stay as they are, and limits are merged with the existing ones."""

    name = Text(validate=_NAME)
    limits = fields.Nested(TeamLimitsSchema)
    notes = Text(validate=_NOTES)


class NewTeamSchema(TeamChangeSchema):
    """A new team."""

    name = Text(required=True, validate=_NAME)


class TeamSchema(AnswerSchema):
    """A team."""

    object = constant("team")
    id = fields.String()
    name = fields.String()
    limits = fields.Dict(metadata=about("The budgets that its keys share, beside their own limits."))
    notes = fields.String()
    created_at = fields.DateTime(format="iso")
    keys = fields.Integer(metadata=about("The number of keys that are not revoked."))
    budgets = fields.List(fields.Nested(BudgetSchema))


class TeamListSchema(AnswerSchema):
    """All teams, the oldest first."""

    object = constant("list")
    data = fields.List(fields.Nested(TeamSchema))


class DeletedTeamSchema(AnswerSchema):
    """A team that was deleted."""

    object = constant("team.deleted")
    id = fields.String()
    deleted = constant(True)
