"""`/dashboard`: the web pages of the gateway. This module has the ways in and out, and collects the pages.

Administrators see all pages. The owner of any other key sees those about the key and its requests, and can try models.
"""

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from gateway.api.dashboard import (
    access,
    accounts,
    alerts,
    keys,
    models,
    my_key,
    overview,
    requests,
    settings,
    stored,
    teams,
    trying,
)
from gateway.api.dashboard.blueprints import admin, managing, own, trial
from gateway.api.http.context import get_caller

#: The blueprints with all pages, whose modules add them.
BLUEPRINTS = (admin, managing, own, trial)
PAGES = (overview, requests, keys, teams, accounts, stored, my_key, models, trying, alerts, settings)


@own.post("")
def sign_in() -> AnyResponse:
    """Open a session for the key in the form, which the auth hook has checked."""
    caller = get_caller()
    home = "dashboard.show_overview" if caller.sees_everything else "dashboard-own.show_my_key"
    response = _see_other(_own_path(request.form.get("target", "")) or url_for(home))
    return access.open_session(response) if caller.identity else response


@own.post("/sign-out")
def sign_out() -> AnyResponse:
    """End the session."""
    return access.close_session(_see_other(url_for("dashboard.show_overview")))


def _own_path(target: str) -> str:
    """Return a path that the form names if it belongs to a page here; "" otherwise."""
    is_page = target.startswith(f"{access.PATH}/") and "\\" not in target and "//" not in target
    return target if is_page else ""


def _see_other(target: str) -> Response:
    return redirect(target, 303, Response=Response)  # type: ignore[return-value]
