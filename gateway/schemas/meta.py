"""Answers of `GET /` and `GET /health`."""

from marshmallow import fields

from gateway.accounts.account import ACCOUNT_KINDS
from gateway.accounts.states import REST_REASONS
from gateway.schemas.answers import AnswerSchema, about, one_of


class IndexSchema(AnswerSchema):
    """The name and version of the gateway, and its endpoints."""

    name = fields.String()
    version = fields.String()
    description = fields.String()
    endpoints = fields.Dict(values=fields.String())


class WindowSchema(AnswerSchema):
    """A rate-limit window of an account, as Anthropic has last reported it. Times are Unix time."""

    utilization = fields.Float(allow_none=True, metadata=about("The fraction that is used."))
    resets_at = fields.Float(allow_none=True)
    status = fields.String(allow_none=True, metadata=about('"allowed", "allowed_warning" or "rejected".'))
    heard_at = fields.Float()


class RestSchema(AnswerSchema):
    """A pause of an account, because it could not answer."""

    reason = one_of(*REST_REASONS)
    until = fields.Float(metadata=about("Unix time."))
    models = fields.String(metadata=about("A word in the ids of the models that rest; empty for all models."))


class AccountStatusSchema(AnswerSchema):
    """An account: one login of the CLI, as all workers know it."""

    name = fields.String()
    kind = one_of(*ACCOUNT_KINDS)
    is_shared = fields.Boolean(metadata=about("Whether every key may use it."))
    logged_in = fields.Boolean(allow_none=True, metadata=about("null if it is not known yet."))
    state = one_of("ready", "resting", "logged_out")
    resting_until = fields.Float(allow_none=True, metadata=about("Unix time."))
    windows = fields.Dict(values=fields.Nested(WindowSchema))
    rests = fields.List(fields.Nested(RestSchema))
    warm = fields.Integer(metadata=about("Processes of this worker that are ready for it."))
    starting = fields.Integer()
    kept = fields.Integer(metadata=about("Parked processes, which wait for the next turn of a conversation."))
    running = fields.Integer(metadata=about("Answers that this worker is writing with it."))


class ClaudeStatusSchema(AnswerSchema):
    """The state of the CLI processes in the worker that answered."""

    version = fields.String(allow_none=True)
    logged_in = fields.Boolean(allow_none=True, metadata=about("null if it is not known yet."))
    accounts = fields.List(fields.Nested(AccountStatusSchema))
    running = fields.Integer(metadata=about("Answers that are being written."))
    queued = fields.Integer(metadata=about("Requests that wait for their turn."))
    kept = fields.Integer(metadata=about("Parked processes, which wait for the next turn of a conversation."))
    kept_hits = fields.Integer(metadata=about("Turns that a parked process answered."))
    waiting_for_tools = fields.Integer(metadata=about("Parked processes that wait for tool results."))
    prepared = fields.Integer()
    warm = fields.Integer(metadata=about("Processes that are ready for a new conversation."))
    warm_hits = fields.Integer()
    warm_misses = fields.Integer()
    starting = fields.Integer()
    starts = fields.Integer()
    start_failures = fields.Integer()
    processes = fields.Integer()
    max_processes = fields.Integer()
    recycled = fields.Integer(
        metadata=about("Processes that have forgotten a turn, and were used again instead of ending.")
    )
    given_up = fields.Integer(metadata=about("Idle processes that were ended because memory was short."))


class HealthSchema(AnswerSchema):
    """The health of the gateway: healthy means that it can answer."""

    sometimes = ("error", "claude_version", "active_sessions")

    status = one_of("healthy", "unhealthy")
    error = fields.String(metadata=about("The problem, and what to do about it."))
    version = fields.String(metadata=about("The version of the gateway."))
    pid = fields.Integer(metadata=about("The process id of the worker that answered."))
    claude_version = fields.String(allow_none=True)
    active_sessions = fields.Integer()
    claude = fields.Nested(ClaudeStatusSchema)
