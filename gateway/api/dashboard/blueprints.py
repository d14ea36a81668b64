"""The blueprints of the dashboard, which differ in their access, and how their pages are rendered.

`admin` has the pages for administrators, `managing` those that manage keys, `own` those for the owner of any key, and
`trial` the chat, whose answers count against the key's limits.
"""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, render_template, request

from gateway.answering.caller import Caller
from gateway.api.dashboard import access
from gateway.api.dashboard.formats import FILTERS
from gateway.api.hooks.errors import respond_with_error
from gateway.api.http.context import find_state, get_services
from gateway.api.http.inline_markdown import inline_markdown
from gateway.api.http.page_headers import add_page_headers
from gateway.api.views import chat
from gateway.errors import GatewayError
from gateway.exposure import describe_exposure
from gateway.version import VERSION

admin = Blueprint("dashboard", __name__, url_prefix=access.PATH)
managing = Blueprint("dashboard-managing", __name__, url_prefix=access.PATH)
own = Blueprint("dashboard-own", __name__, url_prefix=access.PATH)
trial = Blueprint("dashboard-chat", __name__, url_prefix=f"{access.PATH}/chat")

SIGN_IN_STATUSES = (401, 403, 429)  # the statuses for which the page offers to sign in with another key


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the navigation: the endpoint of its page, its title, and the name of its icon."""

    endpoint: str
    title: str
    icon: str

    def is_for(self, caller: Caller | None) -> bool:
        """Return True if the caller may open the page."""
        blueprint = self.endpoint.partition(".")[0]
        if caller is None or blueprint == own.name:
            return blueprint == own.name
        return caller.may_manage if blueprint == managing.name else caller.sees_everything


NAVIGATION = (
    Entry("dashboard.show_overview", "Overview", "overview"),
    Entry("dashboard-own.show_requests", "Requests", "requests"),
    Entry("dashboard-managing.show_keys", "Keys", "keys"),
    Entry("dashboard-managing.show_accounts", "Accounts", "accounts"),
    Entry("dashboard-managing.show_stored", "Stored data", "stored"),
    Entry("dashboard-own.show_my_key", "My key", "key"),
    Entry("dashboard-own.show_models", "Models", "models"),
    Entry("dashboard-own.show_chat", "Try it", "chat"),
    Entry("dashboard-own.show_clients", "Connect", "connect"),
    Entry("dashboard-managing.show_alerts", "Alerts", "alerts"),
    Entry("dashboard.show_settings", "Settings", "settings"),
)

admin.before_request(access.check_admin)
managing.before_request(access.check_manager)
own.before_request(access.check_sender)
trial.before_request(access.check_sender)
trial.add_url_rule("", view_func=chat.create_chat_completion, methods=["POST"])
for _filter in (*FILTERS, inline_markdown):
    admin.add_app_template_filter(_filter)
for _blueprint in (admin, managing, own, trial):
    _blueprint.after_request(add_page_headers)


def render_page(template: str, **values: Any) -> str:
    """Render a page with the navigation around it."""
    state, settings = find_state(), get_services().settings
    caller = state.caller if state else None
    is_admin = caller is not None and caller.sees_everything
    return render_template(
        template,
        version=VERSION,
        identity=caller.identity if caller else None,
        is_admin=is_admin,
        is_open=not settings.require_auth,
        exposure=describe_exposure(settings),
        csrf_token=access.make_csrf_token(),
        may_manage=caller is not None and caller.may_manage,
        navigation=[entry for entry in NAVIGATION if entry.is_for(caller)],
        page=request.endpoint,
        **values,
    )


@admin.errorhandler(GatewayError)
@managing.errorhandler(GatewayError)
@own.errorhandler(GatewayError)
def show_error(error: GatewayError) -> Response:
    """Show the error to browsers as a page: the sign-in page, if another key may help."""
    response = respond_with_error(error)
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        asks = error.status in SIGN_IN_STATUSES and get_services().settings.require_auth
        target = request.full_path.rstrip("?") if request.method == "GET" else ""
        page = render_page("dashboard/sign_in.html", error=error, asks=asks, target=target)
        response.set_data(page)
        response.content_type = "text/html; charset=utf-8"
    return response
