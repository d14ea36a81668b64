"""Answers of `/v1/admin/alerts`."""

from marshmallow import fields

from gateway.schemas.answers import AnswerSchema, about, constant, one_of
from gateway.schemas.pages import PaginationSchema


class DeliverySchema(AnswerSchema):
    """The delivery of an alert over one channel."""

    channel = fields.String()
    state = one_of("pending", "sent", "failed")
    attempts = fields.Integer()
    error = fields.String(allow_none=True, metadata=about("The reason for which the last attempt failed."))
    sent_at = fields.DateTime(format="iso", allow_none=True)


class AlertSchema(AnswerSchema):
    """An alert."""

    object = constant("alert")
    id = fields.String()
    kind = fields.String()
    title = fields.String()
    text = fields.String()
    data = fields.Dict(metadata=about("The figures of the alert."))
    state = one_of("open", "resolved")
    created_at = fields.DateTime(format="iso")
    resolved_at = fields.DateTime(format="iso", allow_none=True)
    deliveries = fields.List(fields.Nested(DeliverySchema))


class AlertListSchema(AnswerSchema):
    """A page of alerts, newest first."""

    data = fields.List(fields.Nested(AlertSchema))
    pagination = fields.Nested(PaginationSchema)


class ChannelTestSchema(AnswerSchema):
    """The result of a test of one channel."""

    channel = fields.String()
    error = fields.String(allow_none=True, metadata=about("Null if the message was taken."))


class AlertTestSchema(AnswerSchema):
    """The results of all channels."""

    data = fields.List(fields.Nested(ChannelTestSchema))
