"""Answers of `GET /` and `GET /health`."""

from marshmallow import fields

from gateway.schemas.answers import AnswerSchema, about, one_of


class IndexSchema(AnswerSchema):
    """The name and version of the gateway, and its endpoints."""

    name = fields.String()
    version = fields.String()
    description = fields.String()
    endpoints = fields.Dict(values=fields.String())


class ClaudeStatusSchema(AnswerSchema):
    """The state of the CLI processes in the worker that answered."""

    version = fields.String(allow_none=True)
    logged_in = fields.Boolean(allow_none=True, metadata=about("null if it is not known yet."))
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
