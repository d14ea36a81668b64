"""The pages with requests: a list with filters in its URL, one request with its phases, and two compared.

Administrators see the requests of all keys, the owner of any other key its own. For example, the slow answers of the
last hours: `/dashboard/requests?min_seconds=30&has_error=false`.
"""

from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

from flask import Response, make_response, request, url_for
from marshmallow import ValidationError

from gateway.answering.request_details import compare_requests, describe_request, find_details
from gateway.api.dashboard.blueprints import own, render_page
from gateway.api.dashboard.formats import NO_VALUE, format_price, format_seconds
from gateway.api.dashboard.models import visible_models
from gateway.api.http.context import get_caller, get_services
from gateway.api.http.own_address import own_address
from gateway.errors import InvalidRequest
from gateway.schemas.requests import OUTCOMES, PROCESSES, AdminRequestQuerySchema
from gateway.store.request_log import RequestPage, RequestQuery

PER_PAGE = 50
MOST_KEYS = 100  # in the list of keys to choose from: those that were used last
MOMENTS = ("from", "to")
FILTERS = (
    "q", "status", "key_id", "model", "dialect", "outcome", "process", "min_seconds", *MOMENTS, "code",
    "repaired", "account", "project_id", "session_id", "has_error",
)  # fmt: skip
#: Filters that are open on the page only if one of them is set.
FURTHER = FILTERS[FILTERS.index("dialect") :]
STATUSES = ("2xx", "4xx", "5xx", "400", "401", "403", "404", "429", "499", "500", "502", "503", "504")
DIALECTS = ("chat", "responses", "messages", "completions")
#: Phases by their color: waiting, the model's first token, the answer. See site.css.
PHASE_COLORS = {"first token": "s1", "answer": "s0", "end": "s3"}


@own.get("/requests")
def show_requests() -> str:
    """List the requests that match the filters in the URL."""
    chosen = {name: value for name in FILTERS if (value := request.args.get(name, "").strip())}
    page, problem = _find_page(chosen)
    rows = [describe_request(row) for row in page.rows]
    return render_page(
        "dashboard/requests.html",
        rows=[row | {"bar": _make_bar(row)} for row in rows],
        most_seconds=max((row["seconds"] for row in rows), default=0.0),
        chosen=chosen,
        further=[name for name in FURTHER if name in chosen],
        problem=problem,
        older=_url(chosen, cursor=page.next_cursor) if page.next_cursor else "",
        is_first="cursor" not in request.args,
        is_live="live" in request.args,
        live_url=_url(chosen, live="1"),
        plain_url=_url(chosen),
        last_id=max((int(row["id"]) for row in rows), default=0),
        **_choices(),
    )


@own.get("/requests/rows")
def show_new_rows() -> Response:
    """Return the list again for the live view, or 204 if nothing was added since `seen`."""
    services = get_services()
    if str(services.requests.find_last_id()) == request.args.get("seen"):
        return Response(status=204)
    return make_response(show_requests())


@own.get("/requests/compare")
def compare() -> str:
    """Compare two requests: the ids `pick` of the URL, which the boxes in the list send."""
    picked = [one for given in request.args.getlist("pick") if (one := given.strip())]
    if len(picked) != 2:
        raise InvalidRequest(f"Choose two requests to compare. You chose {len(picked) or 'none'}.")
    first, second = (find_details(given, get_services(), _visible_owner()) for given in picked)
    longest = max(first["seconds"], second["seconds"])
    return render_page(
        "dashboard/comparison.html",
        pair=(first, second),
        differences=[
            (_title(one["field"]), _show(one["field"], one["a"]), _show(one["field"], one["b"]))
            for one in compare_requests(first, second)
        ],
        longest=longest,
        colors=PHASE_COLORS,
        section="dashboard-own.show_requests",
    )


@own.get("/requests/<request_id>")
def show_request(request_id: str) -> str:
    """Show one request: its phases, its figures, the command that sends it again, and its bodies if they were kept."""
    found = find_details(request_id, get_services(), _visible_owner())
    return render_page(
        "dashboard/request.html",
        found=found,
        colors=PHASE_COLORS,
        address=own_address(),
        section="dashboard-own.show_requests",
    )


def _title(field: str) -> str:
    """Return the name of a field for people."""
    words = field.replace("_", " ").replace("setup", "set-up")
    return {"seconds": "Duration", "first seconds": "First token"}.get(words, words.capitalize())


def _show(field: str, value: Any) -> str:
    """Return a field's value for people."""
    if value in (None, "", []):
        return NO_VALUE
    if field.endswith("seconds"):
        return format_seconds(value)
    if field == "cost":
        return format_price(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:,}" if field.endswith("tokens") else str(value)


def _visible_owner() -> str | None:
    """Return the owner whose requests the caller may see; None for all."""
    caller = get_caller()
    return None if caller.may_manage else caller.owner_id


def _find_page(chosen: Mapping[str, str]) -> tuple[RequestPage, str]:
    """Return the rows that match, and the mistake in the filters, if there is one."""
    sent = {name: _with_zone(value) if name in MOMENTS else value for name, value in chosen.items()}
    if cursor := request.args.get("cursor"):
        sent["cursor"] = cursor
    try:
        query = AdminRequestQuerySchema().load({**sent, "limit": PER_PAGE})
    except ValidationError as error:
        found = error.messages_dict
        return RequestPage([], None), " ".join(f"{name}: {texts[0]}" for name, texts in found.items())
    owner = _visible_owner()
    return get_services().requests.list_page(RequestQuery(owner=owner, **query)), ""


def _with_zone(text: str) -> str:
    """Return a time that is in UTC unless it says otherwise."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return text
    return text if moment.tzinfo else f"{text}+00:00"


def _url(chosen: Mapping[str, Any], **more: Any) -> str:
    return url_for("dashboard-own.show_requests", **chosen, **more)


def _choices() -> dict[str, Any]:
    """Return the choices of the filters."""
    keys = get_services().keys.list() if get_caller().may_manage else []
    used = sorted(
        (key for key in keys if key.last_used_at), key=lambda key: key.last_used_at or 0, reverse=True
    )
    names = [key.name for key in used]
    return {
        "keys": [
            (key.id, key.name if names.count(key.name) == 1 else f"{key.name} ({key.id})")
            for key in used[:MOST_KEYS]
        ],
        "models": sorted({model.id for model in visible_models()}),
        "statuses": STATUSES,
        "dialects": DIALECTS,
        "outcomes": OUTCOMES,
        "processes": PROCESSES,
    }


def _make_bar(row: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """Return the parts of a request as color, start and seconds: waiting, until the first token, and the answer."""
    waited = sum(row[f"{name}_seconds"] or 0.0 for name in ("parse", "queue", "process", "setup"))
    parse = row["parse_seconds"] or 0.0
    first = row["seconds"] if row["first_seconds"] is None else parse + row["first_seconds"]
    edges = pairwise((0.0, min(waited, first), first, max(first, row["seconds"])))
    parts = zip(("s2", "s1", "s0"), edges, strict=True)
    return [(color, begin, end - begin) for color, (begin, end) in parts if end > begin]
