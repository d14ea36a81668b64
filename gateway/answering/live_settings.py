"""The settings in force: environment and settings file, and the changes that were made at run time.

A change is a row of the database. It wins over environment and file until it is reset, and it survives restarts. Each
worker looks at the rows every POLL_SECONDS, so no request waits for them. For example:

    live = LiveSettings(load(), RuntimeSettings(store))
    live.change("KEEP_SECONDS", 60, actor)
    live.current.keep_seconds    # 60.0; `live.on_change` has told all parts
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, replace
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore

from gateway.answering.outages import Outage
from gateway.errors import InvalidRequest, SettingFixed, SettingNotFound
from gateway.setting_fields import describe_values, format_value, parse_setting
from gateway.setting_sources import find_sources, nearest_name
from gateway.settings import DECLARED, NAMES, Settings
from gateway.store.audit import Actor
from gateway.store.runtime_settings import RuntimeChange, RuntimeSettings

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0
MAX_SHOWN = 200  # characters of a wrong value
HIDDEN = "set, not shown"

LIVE: Mapping[str, Field[Any]] = {one.name.upper(): one for one in DECLARED if one.metadata["is_live"]}


@dataclass(frozen=True, slots=True)
class SettingState:
    """A setting with its value in force, and `configured`, the value that it has without a change at run time.

    `source` is "run_time", "environment", "file" or "default". `place` is the place of `configured`: for example,
    `.env, line 3`. `section` is the title of its section in the documentation.
    """

    declared: Field[Any]
    section: str
    value: Any
    configured: Any
    source: str
    place: str
    change: RuntimeChange | None

    @property
    def name(self) -> str:
        """The name in the environment."""
        return self.declared.name.upper()

    @property
    def is_live(self) -> bool:
        """True if the setting may be changed at run time."""
        return self.name in LIVE

    @property
    def public_value(self) -> Any:
        """The value in force, without secrets."""
        return _hide_secret(self.declared, self.value)

    @property
    def public_configured(self) -> Any:
        """The value without a change at run time, and without secrets."""
        return _hide_secret(self.declared, self.configured)

    @property
    def choices(self) -> Sequence[str]:
        """The only words that it accepts; nothing for other settings."""
        accepted = self.declared.metadata["accepted"]
        return tuple(getattr(accepted.validator, "choices", ())) if accepted else ()

    @property
    def accepted(self) -> str:
        """The values that it accepts, in words."""
        return describe_values(self.declared).replace("`", "")


class LiveSettings:
    """The settings of this process: `configured` without changes at run time, and `current`, the ones in force.

    `on_change` is called with the new settings after each change. All methods that touch the database raise StoreError.
    """

    def __init__(self, configured: Settings, table: RuntimeSettings) -> None:
        self.configured = self.current = configured
        self.changes: Mapping[str, RuntimeChange] = {}
        self.on_change: Callable[[Settings], None] = lambda settings: None
        self._table = table
        self._rows: Mapping[str, RuntimeChange] = {}
        self._sources = find_sources(configured.environ)
        self._lock = BoundedSemaphore()  # an older reading must not replace a newer one
        self._outage = Outage(log, "changes of settings cannot be applied")

    def open(self) -> None:
        """Begin to take over changes that other processes make, in the background."""
        gevent.spawn(self._poll)

    def refresh(self) -> None:
        """Take over the changes in the database."""
        with self._lock:
            rows = self._table.load()
            if rows == self._rows:
                return
            self._rows = rows
            self.current, self.changes = apply_changes(self.configured, rows)
            self.on_change(self.current)

    def change(self, name: str, value: object, by: Actor) -> None:
        """Change a setting. Raises SettingNotFound, SettingFixed, or InvalidRequest for a value out of its range."""
        declared, text = find_live(name), _as_text(value)
        check_value(declared, text)
        self._table.change(declared.name.upper(), text, by)
        self.refresh()

    def reset(self, name: str, by: Actor) -> None:
        """Go back to the value of environment, file or default. Raises SettingNotFound or SettingFixed."""
        self._table.reset(find_live(name).name.upper(), by)
        self.refresh()

    def describe(self, name: str) -> SettingState:
        """Return the state of a setting. Raises SettingNotFound."""
        _check_name(name)
        return next(one for one in self.list() if one.name == name.upper())

    def list(self) -> list[SettingState]:
        """Return the states of all settings, in the order of the documentation."""
        section, found = "", []
        for declared in DECLARED:
            section = declared.metadata["section"] or section
            found.append(self._state_of(declared, section))
        return found

    def _state_of(self, declared: Field[Any], section: str) -> SettingState:
        name, place = declared.name.upper(), ""
        source, change = "default", self.changes.get(name)
        if name in self.configured.environ:
            place = self._sources.place(name)
            source = "environment" if place == "the environment" else "file"
        return SettingState(
            declared,
            section,
            value=getattr(self.current, declared.name),
            configured=getattr(self.configured, declared.name),
            source="run_time" if change else source,
            place=place,
            change=change,
        )

    def _poll(self) -> None:
        while True:
            gevent.sleep(POLL_SECONDS)
            with self._outage:
                self.refresh()


def apply_changes(
    configured: Settings, changes: Mapping[str, RuntimeChange]
) -> tuple[Settings, Mapping[str, RuntimeChange]]:
    """Return the settings with the changes, and the changes that are valid.

    Another release may have made a change, with another range or for a setting that is not live here. It is logged.
    """
    values, valid = {}, {}
    for name, change in changes.items():
        declared = LIVE.get(name)
        try:
            if declared is None:
                raise ValueError("it cannot be changed at run time")
            values[declared.name] = parse_setting(declared, change.value)
        except ValueError as error:
            log.warning("the run-time value %s=%s is ignored: %s", name, change.value, error)
        else:
            valid[name] = change
    return replace(configured, **values), valid


def find_live(name: str) -> Field[Any]:
    """Return the declaration of a live setting. Raises SettingNotFound or SettingFixed."""
    _check_name(name)
    declared = LIVE.get(name.upper())
    if declared is None:
        raise SettingFixed(
            f"{name.upper()} cannot be changed while the gateway runs. Set it in the environment or in the settings "
            "file, and restart the gateway.",
            param="name",
        )
    return declared


def check_value(declared: Field[Any], text: str) -> None:
    """Raise InvalidRequest if a setting does not accept this text."""
    try:
        parse_setting(declared, text)
    except ValueError as error:
        expected = describe_values(declared).replace("`", "")
        raise InvalidRequest(
            f"{declared.name.upper()}={text[:MAX_SHOWN]}: {error} Expected {expected}.", param="value"
        ) from error


def _check_name(name: str) -> None:
    if name.upper() not in NAMES:
        nearest = nearest_name(name, NAMES)
        advice = f" Did you mean {nearest}?" if nearest else ""
        raise SettingNotFound(f"There is no setting {name[:MAX_SHOWN]}.{advice}", param="name")


def _as_text(value: object) -> str:
    """Return a value of JSON as a settings file has it. Raises InvalidRequest for null and objects."""
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str | int | float) for item in items):
        raise InvalidRequest("Expected a text, a number, a boolean or a list of texts.", param="value")
    return format_value(tuple(map(str, value)) if isinstance(value, list) else value).strip()


def _hide_secret(declared: Field[Any], value: Any) -> Any:
    """Return a value without secrets: the settings that `repr` leaves out. A URL of an SQLite file has none."""
    if declared.repr or not value:
        return value
    if not declared.name.endswith("_url"):
        return HIDDEN
    return value if value.startswith("sqlite:") else re.sub(r"(?<=://).*@", "…@", value).partition("?")[0]
