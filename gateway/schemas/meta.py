"""Shapes of `GET /` and `GET /health`."""

from __future__ import annotations

from marshmallow import fields

from gateway.schemas.answers import AnswerSchema, one_of


class IndexSchema(AnswerSchema):
    """What this is and where things are."""

    name = fields.String()
    version = fields.String()
    description = fields.String()
    endpoints = fields.Dict(values=fields.String())


class ClaudeStatusSchema(AnswerSchema):
    """How the CLI's processes are, in the worker that was asked."""

    version = fields.String(allow_none=True)
    logged_in = fields.Boolean(allow_none=True, metadata={"description": "null: not known yet."})
    running = fields.Integer(metadata={"description": "Answers that are being written."})
    queued = fields.Integer(metadata={"description": "Requests that wait for their turn."})
    kept = fields.Integer(
        metadata={"description": "Processes that wait for the next turn of a conversation."}
    )
    kept_hits = fields.Integer()
    waiting_for_tools = fields.Integer()
    prepared = fields.Integer()
    warm = fields.Integer(metadata={"description": "Processes that are ready for a new conversation."})
    warm_hits = fields.Integer()
    warm_misses = fields.Integer()
    starting = fields.Integer()
    starts = fields.Integer()
    start_failures = fields.Integer()
    processes = fields.Integer()
    max_processes = fields.Integer()


class HealthSchema(AnswerSchema):
    """Whether answers can be given."""

    sometimes = ("error", "claude_version", "active_sessions")

    status = one_of("healthy", "unhealthy")
    error = fields.String(metadata={"description": "What is wrong, and what to do."})
    version = fields.String(metadata={"description": "The gateway's own."})
    pid = fields.Integer(metadata={"description": "Of the worker that was asked."})
    claude_version = fields.String(allow_none=True)
    active_sessions = fields.Integer()
    claude = fields.Nested(ClaudeStatusSchema)
