"""The page of accounts: their quota and state, a test of their logins, and the end of their rests."""

from datetime import datetime, timezone
from typing import Any

from flask import Response, redirect, request, url_for

from gateway.answering.account_admin import check_account, list_accounts, resume_account
from gateway.api.dashboard.blueprints import managing, render_page
from gateway.api.http.context import get_caller, get_services
from gateway.errors import ClaudeUnavailable
from gateway.home import COMMAND


@managing.get("/accounts")
def show_accounts() -> str:
    """Show all accounts."""
    return _render(resumed=request.args.get("resumed", ""))


@managing.post("/accounts/<account>/test")
def test_account(account: str) -> str:
    """Start the CLI with an account, and show whether it is logged in."""
    try:
        return _render(tested=check_account(account, get_caller().actor, get_services()))
    except ClaudeUnavailable as error:
        return _render(problem=error.message)


@managing.post("/accounts/<account>/resume")
def resume(account: str) -> Response:
    """End the rests of an account."""
    services = get_services()
    resume_account(account, get_caller().actor, services.accounts, services.account_sync, services.audit)
    return redirect(url_for("dashboard-managing.show_accounts", resumed=account), 303, Response=Response)  # type: ignore[return-value]


def _render(**values: Any) -> str:
    services = get_services()
    return render_page(
        "dashboard/accounts.html",
        accounts=list_accounts(services),
        is_listed=services.accounts.is_listed,
        command=COMMAND,
        strategy=services.settings.account_strategy,
        workers=services.settings.web_concurrency,
        now=datetime.now(timezone.utc),
        section="dashboard-managing.show_accounts",
        **values,
    )
