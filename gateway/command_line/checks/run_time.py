"""The settings that were changed at run time, which win over the environment and the settings file."""

from collections.abc import Sequence

from gateway.answering.live_settings import SettingState
from gateway.command_line.checks.findings import NOTE, Finding
from gateway.command_line.stores import find_changes
from gateway.errors import StoreError
from gateway.home import COMMAND
from gateway.setting_fields import format_value
from gateway.settings import Settings


def apply_run_time(settings: Settings) -> tuple[Settings, Sequence[Finding]]:
    """Return the settings as a running gateway has them, and a finding for each that was changed at run time."""
    try:
        live = find_changes(settings)
    except StoreError as error:
        return settings, [(NOTE, f"changes at run time are unknown: {error.message} ({error.__cause__})")]
    return live.current, [_describe(one) for one in live.list() if one.change is not None]


def _describe(state: SettingState) -> Finding:
    author = state.change.changed_by if state.change else ""
    configured = f"{format_value(state.configured) or 'none'} ({state.place or 'default'})"
    return (
        NOTE,
        f"{state.name}={format_value(state.value)} was set at run time by {author}, and wins over {configured}: "
        f"{COMMAND} settings reset {state.name}",
    )
