"""`claude-gateway keys`: manage clients' API keys, for example `keys create alice --usd-per-day 5`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from typing import Any

import click

from gateway.accounts.states import load_states
from gateway.claude.catalog import ModelCatalog
from gateway.command_line.stores import open_store
from gateway.command_line.tables import format_names, format_table, format_time
from gateway.hosted import HOSTED_NAMES
from gateway.setting_fields import split_list
from gateway.settings import load_valid
from gateway.store.keys import Key, Keys
from gateway.store.limits.budgets import Allowance

HEADINGS = ("ID", "KEY", "NAME", "STATE", "ADMIN", "EXPIRES", "LAST USED", "REQUESTS", "TOKENS", "COST")
USD = click.FloatRange(min=0)
FALLBACK_OPTIONS = (
    ("model", str, "Ask this model if all accounts are out of quota."),
    ("account", str, "Ask this account if all others are out of quota."),
    ("usd_per_day", USD, "Maximum US dollars per day of the fallback."),
    ("usd_per_month", USD, "Maximum US dollars per month of the fallback."),
)
DEFAULT = "default"
NONE = "none"


class LimitValue(click.ParamType[float | str]):
    """The value of a limit: a number of the type of `default`, or the word "default"."""

    def __init__(self, default: float) -> None:
        self.name = "number"
        self._type = type(default)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        """Parse the text of an option."""
        if value == DEFAULT:
            return DEFAULT
        try:
            number = self._type(value)
        except ValueError:
            number = -1
        if not 0 <= number < float("inf"):
            self.fail(f"{value!r} is not valid. Use a number that is 0 or more, or '{DEFAULT}'.", param, ctx)
        return number


def add_limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each limit to a command."""
    for field in reversed(fields(Allowance)):
        words = field.name.replace("_", " ").replace("usd", "US dollars")
        kind = LimitValue(field.default)
        option = click.option(
            f"--{field.name.replace('_', '-')}", type=kind, help=f"Maximum {words}. 0 means no limit."
        )
        command = option(command)
    return command


def add_fallback_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a fallback to a command."""
    for name, kind, text in reversed(FALLBACK_OPTIONS):
        command = click.option(f"--fallback-{name.replace('_', '-')}", type=kind, help=text)(command)
    return command


@click.group("keys")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Manage clients' API keys."""
    settings, _ = load_valid()
    ctx.obj = Keys(ctx.with_resource(open_store()), load_states(settings))


@command.command()
@click.argument("name")
@click.option("--admin", is_flag=True, help="Let the key see the data of all keys.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Days after which the key expires.")
@click.option("--model", "models", multiple=True, help="Allow only this model. Repeat it for several models.")
@click.option(
    "--project", "projects", multiple=True, help="Allow only this project. Repeat it for several projects."
)
@click.option(
    "--hosted-tool",
    "hosted_tools",
    type=click.Choice([*HOSTED_NAMES, NONE]),
    multiple=True,
    help="Allow only this hosted tool, instead of HOSTED_TOOLS. Repeat it for several tools.",
)
@click.option("--team", help="The id of the team whose budgets the key shares.")
@click.option("--account", "accounts", help="Use only these accounts: their names with commas.")
@add_fallback_options
@add_limit_options
@click.pass_obj
def create(
    keys: Keys,
    /,
    name: str,
    admin: bool,
    days: float | None,
    models: Sequence[str],
    projects: Sequence[str],
    hosted_tools: Sequence[str],
    team: str | None,
    accounts: str | None,
    **values: float | str | None,
) -> None:
    """Create a key called NAME. It is printed once and cannot be shown again."""
    expires_at = None if days is None else datetime.now(timezone.utc) + timedelta(days=days)
    key, secret = keys.create(
        name,
        is_admin=admin,
        expires_at=expires_at,
        allowed_models=models or None,
        allowed_projects=projects or None,
        hosted_tools=_parse_hosted_tools(hosted_tools) if hosted_tools else None,
        team_id=team,
        accounts=split_list(accounts) if accounts else None,
        fallback=_take_fallback(values) or None,
        limits={name: value for name, value in _pick_given(values).items() if value is not None},
    )
    _print_secret(key, secret)


@command.command("list")
@click.pass_obj
def list_keys(keys: Keys) -> None:
    """List all keys."""
    found = keys.list()
    click.echo(format_table([HEADINGS, *map(_format_key, found)]) if found else "There are no keys.")


@command.command()
@click.argument("key_id", metavar="ID")
@click.pass_obj
def show(keys: Keys, key_id: str) -> None:
    """Show one key."""
    key = keys.get(key_id)
    rows = list(zip((f"{heading.capitalize()}:" for heading in HEADINGS), _format_key(key), strict=True))
    rows += [
        ("Created:", format_time(key.created_at)),
        ("Models:", format_names(key.allowed_models)),
        ("Projects:", format_names(key.allowed_projects)),
        ("Limits:", _format_limits(key)),
        ("Team:", key.team_id or NONE),
        ("Hosted tools:", _format_hosted_tools(key)),
        ("Accounts:", "all shared ones" if key.accounts is None else format_names(key.accounts)),
        ("Fallback:", _format_fallback(key)),
    ]
    click.echo(format_table(rows))


@command.command()
@click.argument("key_id", metavar="ID")
@add_limit_options
@click.pass_obj
def limit(keys: Keys, /, key_id: str, **limits: float | str | None) -> None:
    """Change the limits of one key. "default" restores the gateway's limit."""
    key = keys.set_limits(key_id, _pick_given(limits))
    click.echo(f"{key.id} ({key.name}): {_format_limits(key)}")


@command.command()
@click.argument("key_id", metavar="ID")
@click.argument(
    "names", metavar="TOOL...", type=click.Choice([*HOSTED_NAMES, NONE, DEFAULT]), nargs=-1, required=True
)
@click.pass_obj
def tools(keys: Keys, key_id: str, names: Sequence[str]) -> None:
    """Set the hosted tools of one key: their names, or "none". "default" restores HOSTED_TOOLS."""
    key = keys.set_hosted_tools(key_id, None if DEFAULT in names else _parse_hosted_tools(names))
    click.echo(f"{key.id} ({key.name}): {_format_hosted_tools(key)}")


@command.command("accounts")
@click.argument("key_id", metavar="ID")
@click.argument("names", metavar="ACCOUNT...", nargs=-1, required=True)
@click.pass_obj
def bind(keys: Keys, key_id: str, names: Sequence[str]) -> None:
    """Set the accounts that may answer one key. "default" alone means all shared accounts."""
    key = keys.change(key_id, {"accounts": None if tuple(names) == (DEFAULT,) else names})
    click.echo(
        f"{key.id} ({key.name}): {format_names(key.accounts) if key.accounts else 'all shared accounts'}"
    )


@command.command()
@click.argument("key_id", metavar="ID")
@click.option("--off", is_flag=True, help="Remove the fallback.")
@add_fallback_options
@click.pass_obj
def fallback(keys: Keys, /, key_id: str, off: bool, **values: float | str | None) -> None:
    """Set what answers one key when all of its accounts are out of quota. Options that are left out stay."""
    changed = {**(keys.get(key_id).fallback or {}), **_take_fallback(values)}
    key = keys.change(key_id, {"fallback": None if off else changed})
    click.echo(f"{key.id} ({key.name}): {_format_fallback(key)}")


@command.command()
@click.argument("key_id", metavar="ID")
@click.argument("team_id", metavar="TEAM")
@click.pass_obj
def team(keys: Keys, key_id: str, team_id: str) -> None:
    """Let a key share the budgets of a team: its id, or "none"."""
    key = keys.change(key_id, {"team_id": None if team_id == NONE else team_id})
    click.echo(f"{key.id} ({key.name}): {key.team_id or 'no team'}")


@command.command()
@click.argument("key_id", metavar="ID")
@click.pass_obj
def revoke(keys: Keys, key_id: str) -> None:
    """Reject a key from now on. This cannot be undone."""
    key = keys.revoke(key_id)
    click.echo(f"{key.id} ({key.name}) is revoked.")


@command.command()
@click.argument("key_id", metavar="ID")
@click.pass_obj
def rotate(keys: Keys, key_id: str) -> None:
    """Replace a key and print the new one. The old one is rejected from now on."""
    _print_secret(*keys.rotate(key_id))


def _print_secret(key: Key, secret: str) -> None:
    click.echo(f"{key.id} ({key.name}). Save the key now, it is not shown again:", err=True)
    click.echo(secret)


def _format_key(key: Key) -> tuple[str, ...]:
    return (
        key.id,
        f"{key.prefix}…",
        key.name,
        key.state,
        "yes" if key.is_admin else "no",
        format_time(key.expires_at),
        format_time(key.last_used_at),
        str(key.total_requests),
        str(key.total_tokens),
        f"${key.total_cost:.2f}",
    )


def _pick_given(limits: Mapping[str, float | str | None]) -> dict[str, float | None]:
    """Return the given limits. None stands for the gateway's limit."""
    return {
        name: None if isinstance(value, str) else value for name, value in limits.items() if value is not None
    }


def _format_limits(key: Key) -> str:
    return ", ".join(f"{name}={value}" for name, value in key.limits.items()) or "the gateway's limits"


def _take_fallback(values: dict[str, float | str | None]) -> dict[str, float | str]:
    """Remove the options of the fallback from the options of a command, and return the given ones.

    Raises ModelNotSupported.
    """
    found = {name: values.pop(f"fallback_{name}") for name, _, _ in FALLBACK_OPTIONS}
    given = {name: value for name, value in found.items() if value is not None}
    if "model" in given:
        settings, _ = load_valid()
        catalog = ModelCatalog(
            settings.claude_code_api_models_path, settings.default_model, settings.model_patterns
        )
        catalog.resolve(str(given["model"]))
    return given


def _format_fallback(key: Key) -> str:
    return ", ".join(f"{name}={value}" for name, value in (key.fallback or {}).items()) or NONE


def _parse_hosted_tools(names: Sequence[str]) -> list[str]:
    return [name for name in names if name != NONE]


def _format_hosted_tools(key: Key) -> str:
    return "the gateway's" if key.hosted_tools is None else ", ".join(key.hosted_tools) or NONE
