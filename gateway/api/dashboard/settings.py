"""The page with the settings in force."""

import re
from dataclasses import Field, dataclass, fields
from typing import Any

from gateway.api.dashboard.blueprints import admin, render_page
from gateway.api.dashboard.formats import NO_VALUE
from gateway.api.http.context import get_services
from gateway.settings import Settings

HIDDEN = "set, not shown"
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting under its name in the environment."""

    name: str
    value: str
    is_default: bool
    description: str = ""
    section: str = ""


@admin.get("/settings")
def show_settings() -> str:
    """Show all settings."""
    return render_page("dashboard/settings.html", settings=settings_in_force(get_services().settings))


def settings_in_force(settings: Settings) -> list[Setting]:
    """Return all settings. Values that the repr of Settings hides are secrets, and are hidden here, too."""
    known, section, found = Settings(), "", []
    for field in fields(Settings):
        if field.name == "environ":
            continue
        section = field.metadata.get("section") or section
        value = getattr(settings, field.name)
        description = _LINK.sub(r"\1", field.metadata.get("description", ""))
        is_default = value == getattr(known, field.name)
        found.append(Setting(field.name.upper(), _shown(field, value), is_default, description, section))
    return found


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
