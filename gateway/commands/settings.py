"""`claude-gateway settings`: settings in force, and changes at run time, for example `settings set KEEP_SECONDS 60`."""

import click

from gateway.answering.live_settings import POLL_SECONDS, LiveSettings, SettingState
from gateway.command_line.stores import open_store, read_changes
from gateway.command_line.tables import format_table, format_time
from gateway.setting_fields import format_value
from gateway.settings import load_valid
from gateway.store.audit import COMMAND_LINE

HEADINGS = ("SETTING", "VALUE", "DEFAULT", "FROM")
SOON = f"Running gateways take it over within {POLL_SECONDS:g} seconds."


@click.group("settings")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Show the settings, and change some of them while the gateway runs."""
    ctx.obj = read_changes(load_valid()[0], ctx.with_resource(open_store()))


@command.command("list")
@click.option("--live", is_flag=True, help="Only settings that may be changed while the gateway runs.")
@click.option("--changed", is_flag=True, help="Only settings that differ from their defaults.")
@click.pass_obj
def list_settings(live_settings: LiveSettings, live: bool, changed: bool) -> None:
    """List the settings with their values and sources. Secrets are not shown."""
    rows = [
        (
            one.name,
            format_value(one.public_value) or "-",
            format_value(one.declared.default) or "-",
            describe_source(one),
        )
        for one in live_settings.list()
        if (one.is_live or not live) and (one.source != "default" or not changed)
    ]
    click.echo(format_table([HEADINGS, *rows]) if rows else "All settings have their defaults.")


@command.command("set", context_settings={"ignore_unknown_options": True})  # -1 is a value
@click.argument("name")
@click.argument("value")
@click.pass_obj
def change(live_settings: LiveSettings, name: str, value: str) -> None:
    """Change the setting NAME. The change wins over the environment and the settings file until `settings reset`."""
    live_settings.change(name, value, COMMAND_LINE)
    click.echo(f"{_describe(live_settings.describe(name))}. {SOON}")


@command.command()
@click.argument("name")
@click.pass_obj
def reset(live_settings: LiveSettings, name: str) -> None:
    """Reset the setting NAME to its value in the environment or the settings file, or to its default."""
    live_settings.reset(name, COMMAND_LINE)
    click.echo(f"{_describe(live_settings.describe(name))}. {SOON}")


def describe_source(state: SettingState) -> str:
    """Return the source of a value in words: for example, `run time: alice, 2026-11-27 14:05`."""
    if state.change is not None:
        return f"run time: {state.change.changed_by}, {format_time(state.change.changed_at)}"
    return state.place or "default"


def _describe(state: SettingState) -> str:
    return f"{state.name}={format_value(state.public_value)} ({describe_source(state)})"
