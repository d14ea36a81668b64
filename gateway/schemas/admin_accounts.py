"""Answers of `/v1/admin/accounts`."""

from marshmallow import fields

from gateway.accounts.account import LOGIN_SOURCES
from gateway.schemas.answers import AnswerSchema, about, constant, one_of
from gateway.schemas.quota import AccountQuotaSchema
from gateway.schemas.usage import FiguresSchema

_ADVICE = about("How to log in, if the account is logged out.")


class AccountKeySchema(AnswerSchema):
    """An active key that is bound to the account."""

    id = fields.String()
    name = fields.String()


class AccountProcessesSchema(AnswerSchema):
    """Processes of the worker that answered."""

    warm = fields.Integer(metadata=about("Processes that are ready for a new conversation."))
    starting = fields.Integer()
    kept = fields.Integer(metadata=about("Parked processes, which wait for the next turn of a conversation."))
    running = fields.Integer(metadata=about("Processes that are writing an answer."))


class AccountUsageSchema(AnswerSchema):
    """Sums over the answers that began within these times."""

    last_24_hours = fields.Nested(FiguresSchema)
    last_30_days = fields.Nested(FiguresSchema)


class AccountSchema(AccountQuotaSchema):
    """An account, without its login."""

    object = constant("account")
    source = one_of(*LOGIN_SOURCES)
    is_shared = fields.Boolean(
        metadata=about(
            "Whether every key may use it that is bound to no accounts. Otherwise it serves one key only."
        )
    )
    logged_in = fields.Boolean(allow_none=True, metadata=about("Null if it is not known yet."))
    advice = fields.String(allow_none=True, metadata=_ADVICE)
    keys = fields.List(fields.Nested(AccountKeySchema))
    processes = fields.Nested(AccountProcessesSchema)
    usage = fields.Nested(AccountUsageSchema)


class AccountListSchema(AnswerSchema):
    """All accounts, in the order of the list."""

    object = constant("list")
    data = fields.List(fields.Nested(AccountSchema))


class AccountTestSchema(AnswerSchema):
    """The result of a test of an account's login."""

    object = constant("account.test")
    account = fields.String()
    logged_in = fields.Boolean(allow_none=True, metadata=about("Null if the CLI did not tell."))
    advice = fields.String(allow_none=True, metadata=_ADVICE)
