"""`/dashboard`: a page with the state of the gateway, and a chat to try a model.

The three blueprints differ in their access: the page, the chat, whose answers count against the key's limits, and
the scripts and styles of the page, which are public.
"""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from gateway.api.dashboard import access, charts
from gateway.api.dashboard.markdown import inline_markdown
from gateway.api.dashboard.page import collect_live_values, collect_page_values
from gateway.api.hooks.errors import respond_with_error
from gateway.api.http.context import get_caller, get_services
from gateway.api.views import chat
from gateway.errors import GatewayError

blueprint = Blueprint("dashboard", __name__)
trial = Blueprint("dashboard-chat", __name__, url_prefix="/dashboard/chat")
assets = Blueprint(
    "dashboard-assets",
    __name__,
    static_folder="../../static/dashboard",
    static_url_path=f"{access.PATH}/assets",
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
SIGN_IN_STATUSES = (401, 403, 429)  # the statuses for which the page offers to sign in with another key

blueprint.before_request(access.check_access)
trial.before_request(access.check_access)
trial.add_url_rule("", view_func=chat.create_chat_completion, methods=["POST"])
for _filter in (charts.format_number, charts.format_dollars, charts.format_seconds, charts.percent_of):
    blueprint.add_app_template_filter(_filter)
blueprint.add_app_template_filter(inline_markdown)


@blueprint.get("/dashboard")
def show_page() -> str:
    """Show the whole page."""
    return render_template("dashboard/page.html", **collect_page_values(), **collect_live_values())


@blueprint.get("/dashboard/live")
def show_live_part() -> str:
    """Show the part of the page that changes all the time."""
    return render_template("dashboard/live.html", **collect_live_values())


@blueprint.post("/dashboard")
def sign_in() -> AnyResponse:
    """Open a session for the key in the form, which the auth hook has checked."""
    response = _redirect_to_page()
    return access.open_session(response) if get_caller().identity else response


@blueprint.post("/dashboard/sign-out")
def sign_out() -> AnyResponse:
    """End the session."""
    return access.close_session(_redirect_to_page())


@blueprint.errorhandler(GatewayError)
def show_error(error: GatewayError) -> Response:
    """Show the error to browsers as a page: the sign-in page, if another key may help."""
    response = respond_with_error(error)
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        asks = error.status in SIGN_IN_STATUSES and get_services().settings.require_auth
        page = render_template("dashboard/sign_in.html", error=error, asks=asks)
        response.set_data(page)
        response.content_type = "text/html; charset=utf-8"
    return response


@blueprint.after_request
@trial.after_request
@assets.after_request
def add_security_headers(response: Response) -> Response:
    """Keep scripts of other sites out of the page, and the page out of frames and caches."""
    response.headers.update(SECURITY_HEADERS)
    if request.blueprint != assets.name:
        response.headers["Cache-Control"] = "no-store"
    return response


def _redirect_to_page() -> Response:
    return redirect(url_for("dashboard.show_page"), 303, Response=Response)  # type: ignore[return-value]
