"""Shapes of `/v1/sessions` and of what `/v1/chat/completions` says of sessions."""

from __future__ import annotations

from marshmallow import EXCLUDE, fields, validate

from gateway.schemas.answers import AnswerSchema, FaultSchema, constant
from gateway.schemas.fields import LenientSchema, Text
from gateway.schemas.pages import PageQuerySchema, PaginationSchema

LONGEST_TITLE = 500


def _short() -> validate.Length:
    return validate.Length(max=LONGEST_TITLE, error="Expected at most {max} characters.")


class NewSessionSchema(LenientSchema):
    """A session to be made."""

    class Meta:
        unknown = EXCLUDE

    project_id = Text()
    title = Text(validate=_short())
    model = Text(metadata={"description": "For turns that do not name one."})
    system_prompt = Text(metadata={"description": "For turns that do not have their own."})


class RenameSchema(LenientSchema):
    """A new title."""

    class Meta:
        unknown = EXCLUDE

    title = Text(required=True, validate=_short(), error_messages={"required": "A title is needed."})


class SessionQuerySchema(PageQuerySchema):
    """Which sessions to list."""

    project_id = fields.String()


class SessionSchema(AnswerSchema):
    """A session."""

    id = fields.String()
    project_id = fields.String(allow_none=True)
    title = fields.String(allow_none=True)
    model = fields.String(allow_none=True)
    system_prompt = fields.String(allow_none=True)
    created_at = fields.DateTime(format="iso")
    updated_at = fields.DateTime(format="iso")
    is_active = constant(True, "One that has expired is not found.")
    is_stored = fields.Boolean(metadata={"description": "Whether its messages are kept."})
    is_running = fields.Boolean()
    total_tokens = fields.Integer()
    total_cost = fields.Float(metadata={"description": "In USD."})
    message_count = fields.Integer()


class SessionWithMessagesSchema(SessionSchema):
    """A session with what was said."""

    messages = fields.List(fields.Dict(), metadata={"description": "Chat messages, oldest first."})


class SessionListSchema(AnswerSchema):
    """A page of sessions, the newest first."""

    data = fields.List(fields.Nested(SessionSchema))
    pagination = fields.Nested(PaginationSchema)


class DeletedSessionSchema(AnswerSchema):
    """What became of a session, or of its running answer."""

    session_id = fields.String()
    status = fields.String()


class SumsSchema(AnswerSchema):
    """Figures of all sessions."""

    active_sessions = fields.Integer(attribute="sessions")
    total_tokens = fields.Integer(attribute="tokens")
    total_cost = fields.Float(attribute="cost")
    total_messages = fields.Integer(attribute="messages")
    models_in_use = fields.List(fields.String(), attribute="models")


class StatsSchema(AnswerSchema):
    """Figures of all sessions, and those in which an answer is being written."""

    session_stats = fields.Nested(SumsSchema)
    active_claude_sessions = fields.Integer()
    claude_sessions = fields.List(fields.String())


class StatusSchema(AnswerSchema):
    """Whether an answer is being written, and what the session has used."""

    session_id = fields.String(attribute="id")
    project_id = fields.String(allow_none=True)
    model = fields.String(allow_none=True)
    is_running = fields.Boolean()
    created_at = fields.DateTime(format="iso")
    updated_at = fields.DateTime(format="iso")
    total_tokens = fields.Integer()
    total_cost = fields.Float()
    message_count = fields.Integer()


class CheckSchema(AnswerSchema):
    """Whether a body would be answered."""

    valid = fields.Boolean()
    errors = fields.List(fields.Nested(FaultSchema))
    ignored_parameters = fields.List(fields.String())
    model = fields.String(allow_none=True, metadata={"description": "The model that would be asked."})
