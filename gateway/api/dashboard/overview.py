"""The page for a look at everything: state, spend, errors and load."""

import os
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from flask import request

from gateway.answering.metering import MeteredAnswer
from gateway.answering.quota import describe_account
from gateway.api.dashboard import charts
from gateway.api.dashboard.blueprints import admin, render_page
from gateway.api.dashboard.ranges import RANGES, View, read_view
from gateway.api.http.context import get_services
from gateway.errors import StoreError
from gateway.store.usage import UsageFigures, UsageGroup, sum_figures
from gateway.store.usage_series import UsageFilter, begin_of_day

FAILURES = 8
LARGEST_GROUPS = 8
SAMPLE = 1000  # answers
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Today:
    """The figures of a UTC day so far, and of the day before.

    `median_first` and `slow_first` are the seconds until the first token that half and 95 % of the answers needed.
    """

    figures: UsageFigures
    yesterday: UsageFigures
    median_first: float | None
    slow_first: float | None

    @property
    def failed_share(self) -> float:
        """Return the fraction of requests that failed."""
        return self.figures.failed / self.figures.requests if self.figures.requests else 0.0


@admin.get("")
def show_overview() -> str:
    """Show the state of the gateway and its usage."""
    view = read_view()
    return render_page(
        "dashboard/overview.html",
        view=view,
        ranges=RANGES,
        usage=_read_usage(view),
        today=_read_today(view.now),
        **collect_live_values(),
    )


@admin.get("/live")
def show_live_part() -> str:
    """Show the part of the page that changes all the time."""
    return render_page("dashboard/live.html", **collect_live_values())


@admin.get("/today")
def show_today() -> str:
    """Show the figures of today."""
    return render_page("dashboard/today.html", today=_read_today(datetime.now(timezone.utc)))


def collect_live_values() -> dict[str, Any]:
    """Return the values that change from one second to the next."""
    claude, settings = get_services().claude, get_services().settings
    answers = sorted(get_services().live_answers, key=lambda answer: answer.record.started_at)
    return {
        "now": datetime.now(timezone.utc),
        "pid": os.getpid(),
        "workers": settings.web_concurrency,
        "problem": claude.problem or get_services().store.problem,
        "status": claude.status(),
        "most_answers": settings.max_running_turns,
        "accounts": [describe_account(account, time.time()) for account in get_services().accounts.all()],
        "answers": [_show_answer(answer) for answer in answers],
    }


def _show_answer(answer: MeteredAnswer) -> dict[str, Any]:
    """Return the state of a running answer. `rate` is in output tokens per second; None before the first token."""
    first, seconds = answer.record.first_seconds, answer.seconds
    tokens = answer.used().output_tokens
    writing = 0.0 if first is None else seconds - first
    rate = tokens / writing if writing > 0 else None
    return {"record": answer.record, "seconds": seconds, "output_tokens": tokens, "rate": rate}


def _read_today(now: datetime) -> Today | None:
    """Return the figures of today; None while the database is unavailable."""
    series, midnight = get_services().usage_series, begin_of_day(now)
    wanted = UsageFilter(midnight, midnight + DAY)
    try:
        before, today = series.sum_by_step(UsageFilter(midnight - DAY, midnight + DAY), DAY)
        seconds = series.list_first_seconds(wanted, SAMPLE)
    except StoreError:
        return None
    return Today(today.figures, before.figures, _quantile(seconds, 0.5), _quantile(seconds, 0.95))


def _quantile(ordered: list[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def _read_usage(view: View) -> dict[str, Any] | None:
    """Return the usage in the range of the page; None while the database is unavailable."""
    services = get_services()
    series = services.usage_series
    everything = view.range.filter(view.now)
    try:
        steps = series.sum_by_step(view.filter, view.range.step)
        keys, models = series.sum_by(everything, "key"), series.sum_by(everything, "model")
        groups = {"Key": series.sum_by(view.filter, "key"), "Model": series.sum_by(view.filter, "model")}
        failures = services.usage.list_failures(FAILURES)
    except StoreError:
        return None
    limit = None if request.args.get("all") else LARGEST_GROUPS
    return {
        "total": sum_figures(groups["Model"]),
        "steps": steps,
        "charts": charts.make_charts(steps, view.range.step),
        "keys": [(group.name, label_key(group, keys)) for group in keys if group.name],
        "models": [group.name for group in models if group.name],
        "groups": [(title, found[:limit], len(found)) for title, found in groups.items()],
        "labels": {group.name: label_key(group, keys) for group in keys},
        "failures": failures,
    }


def label_key(group: UsageGroup, groups: list[UsageGroup]) -> str:
    """Return the name of a key, with its id if another key has the same name."""
    name = group.key_name or group.name or "no key"
    is_single = sum(other.key_name == group.key_name for other in groups) == 1
    return name if is_single or not group.name else f"{name} ({group.name})"
