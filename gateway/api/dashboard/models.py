"""The page with the models."""

from collections.abc import Iterable
from typing import Any

from gateway.answering.model_access import may_use
from gateway.api.dashboard.blueprints import own, render_page
from gateway.api.http.context import get_caller, get_services
from gateway.claude.catalog import lifecycle
from gateway.turn import Model

LIFECYCLE_TITLES = {"active": "Current", "deprecated": "Retiring", "retired": "Retired"}


@own.get("/models")
def show_models() -> str:
    """Show the models that the key may use, the current ones first."""
    models = visible_models()
    groups = [
        (title, [one for one in models if lifecycle(one) == name]) for name, title in LIFECYCLE_TITLES.items()
    ]
    return render_page("dashboard/models.html", groups=[(title, found) for title, found in groups if found])


def visible_models() -> list[Model]:
    """Return the models that the caller may use."""
    catalog, caller = get_services().claude.catalog, get_caller()
    return [model for model in catalog.all() if may_use(model, caller, catalog)]


def choices(models: Iterable[Model]) -> list[dict[str, Any]]:
    """Return the choices of a list of models: aliases by family first, then ids by stage."""
    current = [one for one in models if lifecycle(one) == "active"]
    older = [one for one in models if lifecycle(one) != "active"]
    short = [(min(one.aliases, key=len), one.name) for one in current if one.aliases]
    return [
        {"title": "Current", "names": short},
        {"title": "Exact version", "names": [(one.id, one.name) for one in current]},
        {"title": "Retiring or retired", "names": [(one.id, one.name) for one in older]},
    ]
