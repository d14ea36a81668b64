"""The values that the dashboard's templates show."""

import os
import re
from collections.abc import Sequence
from dataclasses import Field, dataclass, fields
from datetime import date, datetime, timedelta, timezone
from typing import Any

from flask import request

from gateway.answering import project_access
from gateway.answering.client_setup import values_for
from gateway.answering.metering import MeteredAnswer
from gateway.api.dashboard import charts
from gateway.api.dashboard.access import is_https, make_csrf_token
from gateway.api.http.context import get_caller, get_services
from gateway.client_recipes.catalog import RECIPES
from gateway.client_recipes.recipe import Recipe, fill_recipe
from gateway.client_recipes.show import Block, blocks_of, by_title
from gateway.errors import StoreError
from gateway.exposure import describe_exposure
from gateway.settings import Settings
from gateway.store.projects import ProjectRecord
from gateway.store.usage import UsageFigures, UsageGroup, sum_figures
from gateway.version import VERSION

DAYS = 30
FAILURES = 20
MAX_PROJECTS = 100
HIDDEN = "set, not shown"
NO_VALUE = "\u2013"
#: The kinds of tokens, from the bottom of a column to its top.
KINDS = (
    ("output_tokens", "Output"),
    ("input_tokens", "Prompt"),
    ("cache_write_tokens", "Written to cache"),
    ("cache_read_tokens", "Read from cache"),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting under its name in the environment."""

    name: str
    value: str
    is_default: bool


def collect_page_values() -> dict[str, Any]:
    """Return the values that are looked up once, when the page loads."""
    settings = get_services().settings
    return {
        "version": VERSION,
        "is_open": not settings.require_auth,
        "exposure": describe_exposure(settings),
        "identity": get_caller().identity,
        "csrf_token": make_csrf_token(),
        "usage": _usage(),
        "kinds": KINDS,
        "settings": settings_in_force(settings),
        "models": get_services().claude.catalog.all(),
        "projects": _agent_projects(),
        "clients": _clients(settings),
    }


def _agent_projects() -> list[ProjectRecord]:
    """Return the newest projects in which the chat may let an agent work."""
    services, caller = get_services(), get_caller()
    if not services.settings.allow_agent_projects:
        return []
    try:
        owner, only = project_access.visible_owner(caller), project_access.allowed_ids(caller)
        found, _ = services.projects.list_page(owner, 1, MAX_PROJECTS, only)
    except StoreError:
        return []
    return [project for project in found if project.policy.get("mode") == "agent"]


def collect_live_values() -> dict[str, Any]:
    """Return the values that change from one second to the next."""
    claude = get_services().claude
    answers = sorted(get_services().live_answers, key=lambda answer: answer.record.started_at)
    return {
        "now": datetime.now(timezone.utc),
        "pid": os.getpid(),
        "workers": get_services().settings.web_concurrency,
        "problem": claude.problem,
        "status": claude.status(),
        "most_answers": get_services().settings.max_running_turns,
        "windows": [
            (name.replace("_", " "), seen.utilization, _moment(seen.resets_at))
            for name, seen in claude.rate_limit_windows.items()
        ],
        "answers": [_show_answer(answer) for answer in answers],
    }


def _clients(settings: Settings) -> list[tuple[str, list[tuple[Recipe, tuple[Block, ...]]]]]:
    """Return the clients' recipes with the address of this request, each with its blocks to copy."""
    scheme = "https" if is_https() else request.scheme
    values = values_for(settings, get_services().claude.catalog, f"{scheme}://{request.host}")
    filled = [fill_recipe(recipe, values) for recipe in RECIPES]
    return [(title, [(mode, blocks_of(mode)) for mode in modes]) for title, modes in by_title(filled)]


def settings_in_force(settings: Settings) -> list[Setting]:
    """Return all settings. Values that the repr of Settings hides are secrets, and are hidden here, too."""
    known = Settings()
    return [
        Setting(field.name.upper(), _shown(field, value), value == getattr(known, field.name))
        for field in fields(Settings)
        if field.name != "environ"
        for value in [getattr(settings, field.name)]
    ]


def _shown(field: Field[Any], value: Any) -> str:
    if value is None or value == ():
        return NO_VALUE
    if not field.repr:
        return _without_secrets(value) if field.name.endswith("_url") else HIDDEN
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _without_secrets(url: str) -> str:
    """Return a URL without user, password and options. The URL of an SQLite file has none of them."""
    return url if url.startswith("sqlite:") else re.sub(r"(?<=://).*@", "…@", url).partition("?")[0]


def _show_answer(answer: MeteredAnswer) -> dict[str, Any]:
    """Return the state of a running answer. `rate` is in output tokens per second; None before the first token."""
    first, seconds = answer.record.first_seconds, answer.seconds
    tokens = answer.used().output_tokens
    writing = 0.0 if first is None else seconds - first
    rate = tokens / writing if writing > 0 else None
    return {"record": answer.record, "seconds": seconds, "output_tokens": tokens, "rate": rate}


def _moment(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, timezone.utc)


def _usage() -> dict[str, Any] | None:
    """Return the usage of the last days: in total, by day, by key and by model.

    Return None while the database is unavailable, because the page must still show the problem.
    """
    last = datetime.now(timezone.utc).date()
    first = last - timedelta(days=DAYS - 1)
    usage = get_services().usage
    try:
        by_day = usage.sum_by("day", first, last)
        groups = ("Key", usage.sum_by("key", first, last)), ("Model", usage.sum_by("model", first, last))
        failures = usage.list_failures(FAILURES)
    except StoreError:
        return None
    days = _every_day(by_day, first)
    return {
        "total": sum_figures(by_day),
        "days": days,
        "tokens": charts.stack_columns([[getattr(day.figures, name) for name, _ in KINDS] for day in days]),
        "cost": charts.stack_columns([[day.figures.cost] for day in days]),
        "groups": groups,
        "failures": failures,
    }


def _every_day(known: Sequence[UsageGroup], first: date) -> tuple[UsageGroup, ...]:
    """Return a summary for each day, the oldest first, also for days without answers."""
    figures = {day.name: day.figures for day in known}
    names = [f"{first + timedelta(days=number):%Y-%m-%d}" for number in range(DAYS)]
    return tuple(UsageGroup(name, None, figures.get(name, UsageFigures())) for name in names)
