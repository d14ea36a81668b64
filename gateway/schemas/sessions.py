"""Bodies and answers of `/v1/sessions`, and of the session endpoints below `/v1/chat/completions`."""

from marshmallow import EXCLUDE, fields, validate

from gateway.schemas.answers import AnswerSchema, ErrorDetailsSchema, about, constant
from gateway.schemas.fields import LenientSchema, Text
from gateway.schemas.pages import PageQuerySchema, PaginationSchema

_TITLE_LENGTH = validate.Length(max=500, error="Expected at most {max} characters.")


class NewSessionSchema(LenientSchema):
    """A new session."""

    class Meta:
        unknown = EXCLUDE

    project_id = Text()
    title = Text(validate=_TITLE_LENGTH)
    model = Text(metadata=about("For turns that name no model."))
    system_prompt = Text(metadata=about("For turns without a system prompt of their own."))


class RenameSchema(LenientSchema):
    """A new title."""

    class Meta:
        unknown = EXCLUDE

    title = Text(required=True, validate=_TITLE_LENGTH, error_messages={"required": "A title is required."})


class SessionQuerySchema(PageQuerySchema):
    """The sessions to list."""

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
    is_active = constant(True, "Expired sessions are not found.")
    is_stored = fields.Boolean(metadata=about("True if the messages of the session are stored."))
    is_running = fields.Boolean()
    total_tokens = fields.Integer()
    total_cost = fields.Float(metadata=about("In USD."))
    message_count = fields.Integer()


class SessionWithMessagesSchema(SessionSchema):
    """A session with its messages."""

    messages = fields.List(fields.Dict(), metadata=about("Chat messages, oldest first."))


class SessionListSchema(AnswerSchema):
    """A page of sessions, newest first."""

    data = fields.List(fields.Nested(SessionSchema))
    pagination = fields.Nested(PaginationSchema)


class DeletedSessionSchema(AnswerSchema):
    """A session that was deleted, or whose running answer was stopped."""

    session_id = fields.String()
    status = fields.String()


class SessionTotalsSchema(AnswerSchema):
    """Totals of all sessions."""

    active_sessions = fields.Integer(attribute="sessions")
    total_tokens = fields.Integer(attribute="tokens")
    total_cost = fields.Float(attribute="cost")
    total_messages = fields.Integer(attribute="messages")
    models_in_use = fields.List(fields.String(), attribute="models")


class StatsSchema(AnswerSchema):
    """Totals of all sessions, and the sessions with a running answer."""

    session_stats = fields.Nested(SessionTotalsSchema)
    active_claude_sessions = fields.Integer()
    claude_sessions = fields.List(fields.String())


class StatusSchema(AnswerSchema):
    """The state of a session: `is_running` is true while an answer is being written."""

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
    """The result of validating a chat body."""

    valid = fields.Boolean()
    errors = fields.List(fields.Nested(ErrorDetailsSchema))
    ignored_parameters = fields.List(fields.String())
    model = fields.String(allow_none=True, metadata=about("The model that would answer."))
