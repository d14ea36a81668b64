"""Lists that come in pages."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

MOST_PER_PAGE = 100


class PageSchema(Schema):
    """Which page of a list; pages are counted from 1."""

    class Meta:
        unknown = EXCLUDE

    page = fields.Integer(load_default=1, validate=validate.Range(min=1, max=10**9))
    per_page = fields.Integer(load_default=20, validate=validate.Range(min=1, max=MOST_PER_PAGE))


class PaginationSchema(Schema):
    """Where in the list a page is."""

    page = fields.Integer()
    per_page = fields.Integer()
    total_items = fields.Integer()
    total_pages = fields.Integer()
    has_next = fields.Boolean()
    has_prev = fields.Boolean()


def pagination(page: int, per_page: int, total: int) -> dict[str, Any]:
    """What PaginationSchema shows of a list of `total` items."""
    pages = -(-total // per_page)
    return {
        "page": page,
        "per_page": per_page,
        "total_items": total,
        "total_pages": pages,
        "has_next": page < pages,
        "has_prev": page > 1,
    }
