"""Pagination of lists."""

from typing import Any

from marshmallow import Schema, fields, validate

from gateway.schemas.answers import AnswerSchema

MAX_PER_PAGE = 100


class PageQuerySchema(Schema):
    """The page to return, and its size."""

    page = fields.Integer(load_default=1, validate=validate.Range(min=1, max=1_000_000))
    per_page = fields.Integer(load_default=20, validate=validate.Range(min=1, max=MAX_PER_PAGE))


class PaginationSchema(AnswerSchema):
    """The position of a page in its list."""

    page = fields.Integer()
    per_page = fields.Integer()
    total_items = fields.Integer()
    total_pages = fields.Integer()
    has_next = fields.Boolean()
    has_prev = fields.Boolean()


def pagination(page: int, per_page: int, items: int) -> dict[str, Any]:
    """Return the object that PaginationSchema describes. An empty list has one page."""
    pages = max(1, -(-items // per_page))
    return {
        "page": page,
        "per_page": per_page,
        "total_items": items,
        "total_pages": pages,
        "has_next": page < pages,
        "has_prev": page > 1,
    }
