"""Queries and answers of `/v1/admin/audit`."""

from marshmallow import Schema, fields, validate

from gateway.schemas.answers import AnswerSchema, about, constant
from gateway.schemas.fields import MAX_INT


class AuditQuerySchema(Schema):
    """The entries to list."""

    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=200))
    before_id = fields.Integer(
        data_key="before",
        validate=validate.Range(1, MAX_INT - 1),
        metadata=about("Only entries older than this one."),
    )
    action = fields.String(metadata=about("For example `key.revoke`, or `key` for all actions on keys."))
    target_id = fields.String(metadata=about("The id of the changed key, team and so on."))
    actor_id = fields.String(metadata=about("The id of the key that made the change."))
    since = fields.AwareDateTime(data_key="from", format="iso", metadata=about("At this time or later."))
    until = fields.AwareDateTime(data_key="to", format="iso", metadata=about("Before this time."))


class AuditEntrySchema(AnswerSchema):
    """A change."""

    object = constant("audit_entry")
    id = fields.Integer()
    created_at = fields.DateTime(format="iso")
    actor_id = fields.String(allow_none=True, metadata=about("Null for the command line."))
    actor_name = fields.String()
    address = fields.String()
    request_id = fields.String()
    action = fields.String()
    target_id = fields.String()
    before = fields.Dict(allow_none=True, metadata=about("The changed fields as they were."))
    after = fields.Dict(allow_none=True, metadata=about("The changed fields as they are now."))


class AuditListSchema(AnswerSchema):
    """A page of entries, the newest first."""

    object = constant("list")
    data = fields.List(fields.Nested(AuditEntrySchema))
    has_more = fields.Boolean()
