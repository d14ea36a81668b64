"""Lists that come in pages."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from gateway.schemas.answers import AnswerSchema

MOST_PER_PAGE = 100


class PageQuerySchema(Schema):
    """Which page is asked for."""

    page = fields.Integer(load_default=1, validate=validate.Range(min=1, max=1_000_000))
    per_page = fields.Integer(load_default=20, validate=validate.Range(min=1, max=MOST_PER_PAGE))


class PaginationSchema(AnswerSchema):
    """Where a page stands."""

    page = fields.Integer()
    per_page = fields.Integer()
    total_items = fields.Integer()
    total_pages = fields.Integer()
    has_next = fields.Boolean()
    has_prev = fields.Boolean()


def pagination(page: int, per_page: int, items: int) -> dict[str, Any]:
    """The object of PaginationSchema; a list without items has one page."""
    pages = max(1, -(-items // per_page))
    return {
        "page": page,
        "per_page": per_page,
        "total_items": items,
        "total_pages": pages,
        "has_next": page < pages,
        "has_prev": page > 1,
    }
