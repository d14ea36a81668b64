"""The page for the owner of a key: its budgets, its usage, and how to use it."""

from datetime import datetime, timezone

from gateway.answering.quota import describe_quota
from gateway.api.dashboard import charts
from gateway.api.dashboard.blueprints import own, render_page
from gateway.api.dashboard.ranges import RANGES, read_view
from gateway.api.http.context import get_caller, get_services
from gateway.api.http.own_address import own_address
from gateway.store.usage import sum_figures
from gateway.store.usage_series import UsageFilter


@own.get("/me")
def show_my_key() -> str:
    """Show what the caller's own key may do and has done."""
    services, caller = get_services(), get_caller()
    view = read_view()
    wanted = UsageFilter(view.filter.since, view.filter.until, caller.key_id)
    steps = services.usage_series.sum_by_step(wanted, view.range.step)
    models = services.usage_series.sum_by(wanted, "model")
    return render_page(
        "dashboard/my_key.html",
        view=view,
        ranges=RANGES,
        charts=charts.make_charts(steps, view.range.step),
        models=models,
        total=sum_figures(models),
        address=own_address(),
        quota=describe_quota(caller, services),
        now=datetime.now(timezone.utc),
    )
