"""The query and answer of `/v1/usage`."""

from datetime import date
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from gateway.record import GROUPS
from gateway.schemas.answers import AnswerSchema, about, constant
from gateway.schemas.pages import PaginationSchema

MAX_PER_PAGE = 1000
EARLIEST, LATEST = date(1970, 1, 1), date(9998, 12, 31)  # the day after must be a date, too


def _day(name: str) -> fields.Date:
    return fields.Date(
        data_key=name,
        format="%Y-%m-%d",
        validate=validate.Range(min=EARLIEST, max=LATEST, error="Expected a date from {min} to {max}."),
        error_messages={"invalid": "Expected a date in the form YYYY-MM-DD."},
        metadata=about("A UTC date. The day is included."),
    )


def _number(default: int, high: int | None = None) -> fields.Integer:
    return fields.Integer(
        load_default=default,
        validate=validate.Range(min=1, max=high),
        error_messages={"invalid": "Expected an integer.", "too_large": "Expected a smaller number."},
    )


class UsageQuerySchema(Schema):
    """The grouping and the days. By default, `to` is today, and `from` makes it 30 days."""

    group_by = fields.String(load_default="day", validate=validate.OneOf(GROUPS))
    first = _day("from")
    last = _day("to")
    page = _number(1)
    per_page = _number(100, MAX_PER_PAGE)

    @validates_schema
    def check_order(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Check that the days are in order."""
        if "first" in data and "last" in data and data["first"] > data["last"]:
            raise ValidationError("Expected a date that is not before 'from'.", "to")


class FiguresSchema(AnswerSchema):
    """Sums over answers."""

    requests = fields.Integer(metadata=about("All answers, including failed and cut ones."))
    failed = fields.Integer()
    cut = fields.Integer(metadata=about("Answers whose client left or stopped them."))
    input_tokens = fields.Integer(metadata=about("Excludes cached tokens."))
    cache_read_tokens = fields.Integer()
    cache_write_tokens = fields.Integer()
    output_tokens = fields.Integer(metadata=about("Includes thinking."))
    thinking_tokens = fields.Integer()
    web_searches = fields.Integer(metadata=about("Searches by the hosted tool."))
    web_fetches = fields.Integer(metadata=about("Pages that the hosted tool has fetched."))
    total_tokens = fields.Integer()
    cost = fields.Float(metadata=about("In USD."))


class GroupSchema(FiguresSchema):
    """The sums of one group. Only the names that it was grouped by are present."""

    sometimes = ("day", "key_id", "key_name", "model", "project_id", "account")

    day = fields.String()
    key_id = fields.String(allow_none=True)
    key_name = fields.String(allow_none=True)
    model = fields.String()
    project_id = fields.String(allow_none=True)
    account = fields.String(allow_none=True)


class UsageSchema(AnswerSchema):
    """Usage by group. `totals` are the sums over all pages."""

    object = constant("usage")
    group_by = fields.String()
    first = fields.Date(data_key="from")
    last = fields.Date(data_key="to")
    data = fields.List(fields.Nested(GroupSchema))
    totals = fields.Nested(FiguresSchema)
    pagination = fields.Nested(PaginationSchema)
