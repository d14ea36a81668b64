"""The page with what clients have stored: sessions, projects, files and batches of all keys, without contents."""

from typing import Any

from flask import request

from gateway.answering.inventory import list_stored
from gateway.api.dashboard.blueprints import managing, render_page
from gateway.api.http.context import get_services
from gateway.schemas.pages import pagination
from gateway.store.inventory import KINDS

PER_PAGE = 25


@managing.get("/stored")
def show_stored() -> str:
    """Show a list of one kind."""
    services, given = get_services(), request.args.get("kind")
    kind = next((one for one in KINDS if one == given), KINDS[0])
    owner, page = request.args.get("key_id") or None, max(1, request.args.get("page", 1, int))
    rows, total = list_stored(services.inventory, services.keys, kind, owner, page, PER_PAGE)
    return render_page(
        "dashboard/stored.html",
        kind=kind,
        kinds=KINDS,
        owner=owner,
        rows=[row | {"title": _title(row)} for row in rows],
        pages=pagination(page, PER_PAGE, total),
    )


def _title(row: dict[str, Any]) -> str:
    """Return the name by which people know a row; its id without one."""
    return str(row.get("title") or row.get("name") or row.get("filename") or row["id"])
