"""Bodies and answers of `/v1/admin/settings`."""

from marshmallow import Schema, fields

from gateway.schemas.answers import AnswerSchema, about, constant, one_of

VALUE = about("A text, a number, a boolean or a list of texts, as the setting accepts.")


class SettingChangeSchema(Schema):
    """A new value of a setting."""

    value = fields.Raw(required=True, metadata=VALUE)


class SettingSchema(AnswerSchema):
    """A setting. Secrets are not shown."""

    object = constant("setting")
    name = fields.String()
    value = fields.Raw(allow_none=True, metadata=about("The value in force."))
    source = one_of("run_time", "environment", "file", "default")
    default = fields.Raw(allow_none=True)
    configured = fields.Raw(
        allow_none=True, metadata=about("The value without the change at run time: a reset restores it.")
    )
    place = fields.String(
        metadata=about("The place that sets `configured`, for example `.env, line 3`. Empty for a default.")
    )
    is_live = fields.Boolean(metadata=about("True if it may be changed at run time. Others need a restart."))
    accepted = fields.String(metadata=about("The values that it accepts."))
    description = fields.String()
    section = fields.String()
    changed_at = fields.DateTime(format="iso", allow_none=True)
    changed_by = fields.String(allow_none=True)


class SettingListSchema(AnswerSchema):
    """All settings, in the order of the documentation."""

    object = constant("list")
    data = fields.List(fields.Nested(SettingSchema))
