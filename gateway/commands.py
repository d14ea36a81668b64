"""The command line: `python -m gateway keys create|list|show|limit|revoke|rotate` and `python -m gateway usage`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from typing import Any

import click

from gateway.errors import GatewayError, KeyNotFound
from gateway.record import GROUPS, GroupBy
from gateway.settings import SettingsError, load
from gateway.store.database import Store
from gateway.store.keys import Key, Keys
from gateway.store.limits.allowance import Allowance
from gateway.store.usage import UsageFigures, UsageGroup, UsageTable, sum_figures

HEADINGS = ("ID", "KEY", "NAME", "STATE", "ADMIN", "EXPIRES", "LAST USED", "REQUESTS", "TOKENS", "COST")
USAGE_HEADINGS = ("REQUESTS", "FAILED", "CUT", "INPUT", "CACHE READ", "CACHE WRITE", "OUTPUT", "COST")
DEFAULT = "default"


class Figure(click.ParamType[float | str]):
    """A limit: a number of the type of `default`, or the word "default"."""

    def __init__(self, default: float) -> None:
        self.name = "number"
        self._type = type(default)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        """Take a number or the word."""
        if value == DEFAULT:
            return DEFAULT
        try:
            number = self._type(value)
        except ValueError:
            number = -1
        if not 0 <= number < float("inf"):
            self.fail(f"{value!r} is neither a number from 0 nor '{DEFAULT}'.", param, ctx)
        return number


def limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each limit."""
    for field in reversed(fields(Allowance)):
        words = field.name.replace("_", " ").replace("usd", "US dollars")
        kind = Figure(0.0 if field.type == "float" else 0)
        option = click.option(
            f"--{field.name.replace('_', '-')}", type=kind, help=f"Most {words}; 0: no limit."
        )
        command = option(command)
    return command


class Group(click.Group):
    """Commands whose expected failures are one line, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyNotFound as error:
            raise click.ClickException(f"{error.message} See: python -m gateway keys list") from error
        except GatewayError as error:
            cause = f" ({error.__cause__})" if error.__cause__ else ""
            raise click.ClickException(error.message + cause) from error
        except SettingsError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Group)
def main() -> None:
    """Manage clients' keys, and see what they have used. Settings are those of the gateway."""


@main.group()
@click.pass_context
def keys(ctx: click.Context) -> None:
    """Clients' API keys."""
    store = Store(load().database_url)
    store.open()
    ctx.call_on_close(store.close)
    ctx.obj = Keys(store)


@keys.command()
@click.argument("name")
@click.option("--admin", is_flag=True, help="May see what all keys did.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Expires after this time.")
@click.option("--model", "models", multiple=True, help="Only for this model; may be given more than once.")
@click.option("--project", "projects", multiple=True, help="Only for this project; likewise.")
@limit_options
@click.pass_obj
def create(
    keys: Keys,
    /,
    name: str,
    admin: bool,
    days: float | None,
    models: Sequence[str],
    projects: Sequence[str],
    **limits: float | str | None,
) -> None:
    """Create a key called NAME and print it, this once."""
    expires_at = None if days is None else datetime.now(timezone.utc) + timedelta(days=days)
    key, plain = keys.create(
        name,
        is_admin=admin,
        expires_at=expires_at,
        allowed_models=models or None,
        allowed_projects=projects or None,
        limits={name: value for name, value in _given(limits).items() if value is not None},
    )
    _print_secret(key, plain)


@keys.command("list")
@click.pass_obj
def list_keys(keys: Keys) -> None:
    """All keys."""
    found = keys.list()
    click.echo(_table([HEADINGS, *map(_row, found)]) if found else "There are no keys.")


@keys.command()
@click.argument("key_id", metavar="ID")
@click.pass_obj
def show(keys: Keys, key_id: str) -> None:
    """Everything about one key."""
    key = keys.get(key_id)
    rows = list(zip((f"{heading.capitalize()}:" for heading in HEADINGS), _row(key), strict=True))
    rows += [
        ("Created:", _moment(key.created_at)),
        ("Models:", _names(key.allowed_models)),
        ("Projects:", _names(key.allowed_projects)),
        ("Limits:", _limits(key)),
    ]
    click.echo(_table(rows))


@keys.command()
@click.argument("key_id", metavar="ID")
@limit_options
@click.pass_obj
def limit(keys: Keys, /, key_id: str, **limits: float | str | None) -> None:
    """Change what one key may use. "default" is what the gateway's settings say."""
    key = keys.set_limits(key_id, _given(limits))
    click.echo(f"{key.id} ({key.name}): {_limits(key)}")


@keys.command()
@click.argument("key_id", metavar="ID")
@click.pass_obj
def revoke(keys: Keys, key_id: str) -> None:
    """Refuse a key from now on, for ever."""
    key = keys.revoke(key_id)
    click.echo(f"{key.id} ({key.name}) is revoked.")


@keys.command()
@click.argument("key_id", metavar="ID")
@click.pass_obj
def rotate(keys: Keys, key_id: str) -> None:
    """Replace a key's secret and print the new one; the old one is refused at once."""
    _print_secret(*keys.rotate(key_id))


@main.command()
@click.option("--by", type=click.Choice(GROUPS), default="day", show_default=True, help="What to sum up by.")
@click.option(
    "--days", type=click.IntRange(min=1), default=30, show_default=True, help="How far back, with today."
)
def usage(by: GroupBy, days: int) -> None:
    """What answers have used: requests, tokens, and cost in USD. Days are in UTC."""
    store = Store(load().database_url)
    store.open()
    today = datetime.now(timezone.utc).date()
    groups = UsageTable(store).sum_by(by, today - timedelta(days=days - 1), today)
    store.close()
    if not groups:
        click.echo("There is no usage.")
        return
    rows = [(_group_name(group), *_figures(group.figures)) for group in groups]
    heading = (by.upper(), *USAGE_HEADINGS)
    click.echo(_table([heading, *rows, ("TOTAL", *_figures(sum_figures(groups)))], numbers=True))


def _group_name(group: UsageGroup) -> str:
    return f"{group.name} ({group.key_name})" if group.key_name else group.name or "-"


def _figures(figures: UsageFigures) -> tuple[str, ...]:
    counts = (
        figures.requests,
        figures.failed,
        figures.cut,
        figures.input_tokens,
        figures.cache_read_tokens,
        figures.cache_write_tokens,
        figures.output_tokens,
    )
    return (*(f"{count:,}" for count in counts), f"${figures.cost:,.2f}")


def _print_secret(key: Key, plain: str) -> None:
    click.echo(f"{key.id} ({key.name}). Keep the key now; it is not shown again:", err=True)
    click.echo(plain)


def _row(key: Key) -> tuple[str, ...]:
    return (
        key.id,
        f"{key.prefix}…",
        key.name,
        key.state,
        "yes" if key.is_admin else "no",
        _moment(key.expires_at),
        _moment(key.last_used_at),
        str(key.total_requests),
        str(key.total_tokens),
        f"${key.total_cost:.2f}",
    )


def _given(limits: Mapping[str, float | str | None]) -> dict[str, float | None]:
    """The limits that were given; None for those that go back to the gateway's."""
    return {
        name: None if isinstance(value, str) else value for name, value in limits.items() if value is not None
    }


def _limits(key: Key) -> str:
    return ", ".join(f"{name}={value}" for name, value in key.limits.items()) or "the gateway's"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z" if moment else "never"


def _names(names: Iterable[str] | None) -> str:
    return "all" if names is None else ", ".join(names)


def _table(rows: Sequence[Sequence[str]], *, numbers: bool = False) -> str:
    """Aligned columns; with `numbers` all but the first to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rest = str.rjust if numbers else str.ljust
    lines = ("  ".join([row[0].ljust(widths[0]), *map(rest, row[1:], widths[1:])]).rstrip() for row in rows)
    return "\n".join(lines)
