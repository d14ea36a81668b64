"""The page of alerts: the channels, a test of them, and the log."""

from flask import Response, redirect, request, url_for

from gateway.answering.alerting.alerting import send_test
from gateway.api.dashboard.blueprints import managing, render_page
from gateway.api.http.context import get_services
from gateway.schemas.pages import pagination

PER_PAGE = 50


@managing.get("/alerts")
def show_alerts() -> str:
    """List the alerts with their deliveries, the newest first."""
    alerting, settings = get_services().alerting, get_services().settings
    page = max(1, request.args.get("page", 1, int))
    rows, total = alerting.log.list_page(page, PER_PAGE)
    return render_page(
        "dashboard/alerts.html",
        rows=rows,
        pages=pagination(page, PER_PAGE, total),
        channels=sorted(alerting.channels),
        kinds=settings.alert_kinds,
        is_tested="tested" in request.args,
    )


@managing.post("/alerts/test")
def test_channels() -> Response:
    """Send a test over each channel, and show the log, which has the results."""
    alerting = get_services().alerting
    if alerting.channels:
        send_test(alerting.log, alerting.channels)
    return redirect(url_for("dashboard-managing.show_alerts", tested=1), 303, Response=Response)  # type: ignore[return-value]
