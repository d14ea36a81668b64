"""`/dashboard`: the state of things as a page, and a chat to try a model.

Three blueprints, as they differ in who may ask: the page, the chat (whose POSTs are answers like any others, to limits
and budgets as well), and the page's scripts and styles, which are public.
"""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from gateway.api.dashboard import access as dashboard_access
from gateway.api.dashboard import charts
from gateway.api.dashboard import page as dashboard_view
from gateway.api.hooks import auth, errors
from gateway.api.http import context as current
from gateway.api.views import chat
from gateway.errors import GatewayError

blueprint = Blueprint("dashboard", __name__)
trial = Blueprint("dashboard-chat", __name__)
assets = Blueprint(
    "dashboard-assets",
    __name__,
    static_folder="../../static/dashboard",
    static_url_path=f"{dashboard_access.PATH}/assets",
)

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
SIGN_IN_STATUSES = (401, 403, 429)  # another key, or some patience, may help

blueprint.before_request(dashboard_access.check)
trial.before_request(dashboard_access.check)
trial.add_url_rule("/dashboard/chat", view_func=chat.create, methods=["POST"])
for _name in ("compact", "dollars", "seconds", "share"):
    blueprint.add_app_template_filter(getattr(charts, _name), _name)


@blueprint.get("/dashboard")
def page() -> str:
    """The whole page."""
    return render_template("dashboard/page.html", **dashboard_view.page(), **dashboard_view.live())


@blueprint.get("/dashboard/live")
def live() -> str:
    """The part of the page that changes all the time."""
    return render_template("dashboard/live.html", **dashboard_view.live())


@blueprint.post("/dashboard")
def sign_in() -> AnyResponse:
    """Open a session for the key in the form, which auth has checked by now."""
    response = _to_the_page()
    return dashboard_access.open_session(response) if auth.identity() else response


@blueprint.post("/dashboard/sign-out")
def sign_out() -> AnyResponse:
    """End the session."""
    return dashboard_access.close_session(_to_the_page())


@blueprint.errorhandler(GatewayError)
def refuse(error: GatewayError) -> Response:
    """The error as a page for browsers: the one to sign in at, where that may help."""
    response = errors.respond(error)
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        asks = error.status in SIGN_IN_STATUSES and current.settings().require_auth
        page = render_template("dashboard/sign_in.html", error=error, asks=asks)
        response.set_data(page)
        response.content_type = "text/html; charset=utf-8"
    return response


@blueprint.after_request
@trial.after_request
@assets.after_request
def secure(response: Response) -> Response:
    """Nothing from elsewhere runs in the page, and nobody frames, caches or reads it."""
    response.headers.update(SECURITY_HEADERS)
    if request.blueprint != assets.name:
        response.headers["Cache-Control"] = "no-store"
    return response


def _to_the_page() -> Response:
    return redirect(url_for("dashboard.page"), 303, Response=Response)  # type: ignore[return-value]
