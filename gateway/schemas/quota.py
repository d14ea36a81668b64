"""The answer of `/v1/quota`."""

from marshmallow import fields

from gateway.accounts.account import ACCOUNT_KINDS
from gateway.accounts.states import REST_REASONS
from gateway.schemas.admin_keys import BudgetSchema, FallbackStateSchema
from gateway.schemas.answers import AnswerSchema, about, constant, one_of


class QuotaWindowSchema(AnswerSchema):
    """A rate-limit window of a subscription, as Anthropic has last reported it."""

    name = fields.String(metadata=about("For example `five_hour` or `seven_day`."))
    utilization = fields.Float(
        allow_none=True,
        metadata=about("The used fraction. 0 after a reset, and null if it was not reported."),
    )
    status = fields.String(allow_none=True, metadata=about("`allowed`, `allowed_warning` or `rejected`."))
    resets_at = fields.DateTime(format="iso", allow_none=True)
    heard_at = fields.DateTime(format="iso", metadata=about("When it was reported, with an answer."))


class AccountRestSchema(AnswerSchema):
    """A pause of an account, because it could not answer. After `quota` it is not asked, otherwise it is asked last."""

    reason = one_of(*REST_REASONS)
    until = fields.DateTime(format="iso")
    models = fields.String(metadata=about("A word in the ids of the models that rest; empty for all models."))


class AccountQuotaSchema(AnswerSchema):
    """An account and its windows. Accounts without a subscription have none."""

    name = fields.String()
    kind = one_of(*ACCOUNT_KINDS)
    state = one_of("ready", "resting", "logged_out")
    resting_until = fields.DateTime(format="iso", allow_none=True)
    rests = fields.List(fields.Nested(AccountRestSchema))
    windows = fields.List(fields.Nested(QuotaWindowSchema))


class QuotaKeySchema(AnswerSchema):
    """The key of the request."""

    id = fields.String()
    name = fields.String()
    team_id = fields.String(allow_none=True)


class QuotaSchema(AnswerSchema):
    """The limits of the caller, how much of them remains, and the windows of the accounts that it uses."""

    object = constant("quota")
    key = fields.Nested(QuotaKeySchema, allow_none=True, metadata=about("Null if no keys are required."))
    limits = fields.Dict(metadata=about("The limits of the caller by name. 0 means no limit."))
    budgets = fields.List(
        fields.Nested(BudgetSchema), metadata=about("The limits that are used up over time.")
    )
    accounts = fields.List(fields.Nested(AccountQuotaSchema))
    fallback = fields.Nested(
        FallbackStateSchema, allow_none=True, metadata=about("Answers if all accounts are out of quota.")
    )
