"""`/v1/usage`: requests, tokens and cost. A key sees its own usage, an admin key the usage of all keys."""

from datetime import date, datetime, timedelta, timezone
from typing import Any

from gateway.api.http.blueprints import Blueprint
from gateway.api.http.context import get_caller, get_services
from gateway.record import GroupBy
from gateway.schemas.pages import pagination
from gateway.schemas.usage import UsageQuerySchema, UsageSchema
from gateway.store.usage import UsageGroup, sum_figures

blueprint = Blueprint("usage", __name__, url_prefix="/v1/usage", description="Requests, tokens and cost")

DAYS = timedelta(days=30)


@blueprint.route("")
@blueprint.arguments(UsageQuerySchema, location="query")
@blueprint.response(200, UsageSchema)
def sum_up_usage(query: dict[str, Any]) -> dict[str, Any]:
    """Sum up requests, tokens and cost by day, key, model, project or account."""
    by, page, per_page = query["group_by"], query["page"], query["per_page"]
    first, last = _days(query)
    visible_key = None if get_caller().sees_everything else get_caller().key_id
    groups = get_services().usage.sum_by(by, first, last, visible_key)
    begin = (page - 1) * per_page
    return {
        "group_by": by,
        "first": first,
        "last": last,
        "data": [_row(by, group) for group in groups[begin : begin + per_page]],
        "totals": sum_figures(groups).as_json(),
        "pagination": pagination(page, per_page, len(groups)),
    }


def _days(query: dict[str, Any]) -> tuple[date, date]:
    """Return the first and last day. By default they are the 30 days that end today."""
    today = datetime.now(timezone.utc).date()
    last: date = query.get("last") or max(today, query.get("first", today))
    return query.get("first") or last - DAYS + timedelta(days=1), last


def _row(by: GroupBy, group: UsageGroup) -> dict[str, Any]:
    names: dict[str, Any] = {
        "day": {"day": group.name},
        "key": {"key_id": group.name, "key_name": group.key_name},
        "model": {"model": group.name},
        "project": {"project_id": group.name},
        "account": {"account": group.name},
    }[by]
    return names | group.figures.as_json()
