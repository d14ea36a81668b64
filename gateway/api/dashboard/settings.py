"""The page with the settings in force, and a form for each that may be changed at run time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from flask import Response, make_response, redirect, request, url_for

from gateway.answering.live_settings import LiveSettings, SettingState
from gateway.api.dashboard.blueprints import admin, managing, render_page
from gateway.api.dashboard.formats import NO_VALUE
from gateway.api.http.context import get_caller, get_services
from gateway.errors import InvalidRequest
from gateway.setting_fields import format_value
from gateway.settings import Settings

PAGE = "dashboard.show_settings"
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Row:
    """A setting as the page shows it. `text` is the value as a settings file has it, and `name` the setting's name."""

    state: SettingState
    is_default: bool

    @property
    def name(self) -> str:
        """The name in the environment."""
        return self.state.name

    @property
    def is_live(self) -> bool:
        """True if the page has a form for it."""
        return self.state.is_live

    @property
    def text(self) -> str:
        """The value in force, as an input has it."""
        return format_value(self.state.public_value)

    @property
    def value(self) -> str:
        """The value in force, for reading."""
        value = self.state.public_value
        return (", ".join(value) if isinstance(value, tuple) else self.text) or NO_VALUE

    @property
    def default(self) -> str:
        """The default."""
        return format_value(self.state.declared.default) or NO_VALUE

    @property
    def configured(self) -> str:
        """The value that a reset restores."""
        return format_value(self.state.public_configured) or NO_VALUE

    @property
    def input_mode(self) -> str:
        """The keyboard that a phone shows."""
        kind: Any = self.state.declared.type
        return {int: "numeric", float: "decimal"}.get(kind, "text")

    @property
    def description(self) -> str:
        """The description without the links, which are relative to the documentation."""
        return _LINK.sub(r"\1", self.state.declared.metadata["description"])


@admin.get("/settings")
def show_settings() -> str:
    """Show all settings."""
    return _render()


@managing.post("/settings/<name>")
def change_setting(name: str) -> Response:
    """Change a setting, or show the mistake next to its input."""
    live_settings, text = get_services().live_settings, request.form.get("value", "").strip()
    state = live_settings.describe(name)
    if text == format_value(state.public_value):
        return _see(state.name, "unchanged")
    try:
        live_settings.change(name, text, get_caller().actor)
    except InvalidRequest as error:
        return make_response(_render({state.name: error.message}, {state.name: text}), 400)
    return _see(state.name, "saved")


@managing.post("/settings/<name>/reset")
def reset_setting(name: str) -> Response:
    """Reset a setting to its value in the environment or the settings file, or to its default."""
    live_settings = get_services().live_settings
    live_settings.reset(name, get_caller().actor)
    return _see(live_settings.describe(name).name, "reset")


def list_rows(live_settings: LiveSettings) -> list[Row]:
    """Return all settings. Some defaults depend on the machine."""
    defaults = Settings()
    return [
        Row(state, state.value == getattr(defaults, state.declared.name)) for state in live_settings.list()
    ]


def _render(problems: Mapping[str, str] | None = None, texts: Mapping[str, str] | None = None) -> str:
    rows = list_rows(get_services().live_settings)
    return render_page(
        "dashboard/settings.html",
        rows=rows,
        sections=[(title, list(found)) for title, found in groupby(rows, lambda row: row.state.section)],
        problems=problems or {},
        texts=texts or {},
        said=request.args.get("said", ""),
        about=request.args.get("name", ""),
        section=PAGE,
    )


def _see(name: str, said: str) -> Response:
    target = url_for(PAGE, said=said, name=name, _anchor=f"row-{name}")
    return redirect(target, 303, Response=Response)  # type: ignore[return-value]
