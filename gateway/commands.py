"""The command line: `python -m gateway keys create|list|show|limit|tools|revoke|rotate`, `usage`, `size` and `connect`.

For example:

    python -m gateway keys create alice --usd-per-day 5
    python -m gateway usage --by key --days 7
    python -m gateway size --users 30 --memory 8
    python -m gateway connect codex
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from typing import Any

import click

from gateway.answering.client_setup import KEY_TO_FILL_IN, local_address, values_for
from gateway.claude.catalog import ModelCatalog
from gateway.client_recipes.catalog import BY_NAME, RECIPES
from gateway.client_recipes.recipe import PATHS, fill_recipe
from gateway.client_recipes.show import to_text
from gateway.errors import GatewayError, KeyNotFound
from gateway.hosted import HOSTED_NAMES
from gateway.record import GROUPS, GroupBy
from gateway.settings import SettingsError, load, load_valid
from gateway.sizing.model import Figures, Habits, Machine
from gateway.sizing.report import describe_advice
from gateway.store.database import Store
from gateway.store.keys import Key, Keys
from gateway.store.limits.budgets import Allowance
from gateway.store.usage import UsageFigures, UsageGroup, UsageTable, sum_figures

HEADINGS = ("ID", "KEY", "NAME", "STATE", "ADMIN", "EXPIRES", "LAST USED", "REQUESTS", "TOKENS", "COST")
USAGE_HEADINGS = ("REQUESTS", "FAILED", "CUT", "INPUT", "CACHE READ", "CACHE WRITE", "OUTPUT", "COST")
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


class GatewayCommands(click.Group):
    """Commands that report expected errors in one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyNotFound as error:
            raise click.ClickException(f"{error.message} See: python -m gateway keys list") from error
        except GatewayError as error:
            cause = f" ({error.__cause__})" if error.__cause__ else ""
            raise click.ClickException(error.message + cause) from error
        except SettingsError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=GatewayCommands)
def main() -> None:
    """Manage clients' keys, show their usage, and set clients up. The gateway's settings apply."""


@main.group()
@click.pass_context
def keys(ctx: click.Context) -> None:
    """Manage clients' API keys."""
    store = Store(_load_database_url())
    store.open()
    ctx.call_on_close(store.close)
    ctx.obj = Keys(store)


@keys.command()
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
    **limits: float | str | None,
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
        limits={name: value for name, value in _pick_given(limits).items() if value is not None},
    )
    _print_secret(key, secret)


@keys.command("list")
@click.pass_obj
def list_keys(keys: Keys) -> None:
    """List all keys."""
    found = keys.list()
    click.echo(_format_table([HEADINGS, *map(_format_key, found)]) if found else "There are no keys.")


@keys.command()
@click.argument("key_id", metavar="ID")
@click.pass_obj
def show(keys: Keys, key_id: str) -> None:
    """Show one key."""
    key = keys.get(key_id)
    rows = list(zip((f"{heading.capitalize()}:" for heading in HEADINGS), _format_key(key), strict=True))
    rows += [
        ("Created:", _format_time(key.created_at)),
        ("Models:", _format_names(key.allowed_models)),
        ("Projects:", _format_names(key.allowed_projects)),
        ("Limits:", _format_limits(key)),
        ("Hosted tools:", _format_hosted_tools(key)),
    ]
    click.echo(_format_table(rows))


@keys.command()
@click.argument("key_id", metavar="ID")
@add_limit_options
@click.pass_obj
def limit(keys: Keys, /, key_id: str, **limits: float | str | None) -> None:
    """Change the limits of one key. "default" restores the gateway's limit."""
    key = keys.set_limits(key_id, _pick_given(limits))
    click.echo(f"{key.id} ({key.name}): {_format_limits(key)}")


@keys.command()
@click.argument("key_id", metavar="ID")
@click.argument(
    "names", metavar="TOOL...", type=click.Choice([*HOSTED_NAMES, NONE, DEFAULT]), nargs=-1, required=True
)
@click.pass_obj
def tools(keys: Keys, key_id: str, names: Sequence[str]) -> None:
    """Set the hosted tools of one key: their names, or "none". "default" restores HOSTED_TOOLS."""
    key = keys.set_hosted_tools(key_id, None if DEFAULT in names else _parse_hosted_tools(names))
    click.echo(f"{key.id} ({key.name}): {_format_hosted_tools(key)}")


@keys.command()
@click.argument("key_id", metavar="ID")
@click.pass_obj
def revoke(keys: Keys, key_id: str) -> None:
    """Reject a key from now on. This cannot be undone."""
    key = keys.revoke(key_id)
    click.echo(f"{key.id} ({key.name}) is revoked.")


@keys.command()
@click.argument("key_id", metavar="ID")
@click.pass_obj
def rotate(keys: Keys, key_id: str) -> None:
    """Replace a key and print the new one. The old one is rejected from now on."""
    _print_secret(*keys.rotate(key_id))


@main.command()
@click.option("--by", type=click.Choice(GROUPS), default="day", show_default=True, help="Group the sums.")
@click.option(
    "--days",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="Number of days, including today.",
)
def usage(by: GroupBy, days: int) -> None:
    """Show the usage of answers: requests, tokens, and cost in USD. Days are in UTC."""
    store = Store(_load_database_url())
    store.open()
    today = datetime.now(timezone.utc).date()
    groups = UsageTable(store).sum_by(by, today - timedelta(days=days - 1), today)
    store.close()
    if not groups:
        click.echo("There is no usage.")
        return
    rows = [(_format_group(group), *_format_figures(group.figures)) for group in groups]
    heading = (by.upper(), *USAGE_HEADINGS)
    total = ("TOTAL", *_format_figures(sum_figures(groups)))
    click.echo(_format_table([heading, *rows, total], numbers=True))


@main.command()
@click.option("--users", type=click.IntRange(min=1), required=True, help="People who work at the same time.")
@click.option(
    "--memory",
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    help="Memory of the machine in GB.",
)
@click.option(
    "--cores", type=click.IntRange(min=1), default=2, show_default=True, help="Cores of the machine."
)
@click.option(
    "--think", type=click.FloatRange(min=1), default=30.0, help="Seconds between answer and question."
)
@click.option("--turns", type=click.FloatRange(min=1), default=6.0, help="Questions of a conversation.")
@click.option(
    "--pause", type=click.FloatRange(min=1), default=60.0, help="Seconds between two conversations."
)
@click.option("--tokens", type=click.IntRange(min=1), default=300, help="Tokens of an answer.")
def size(
    users: int, memory: float, cores: int, think: float, turns: float, pause: float, tokens: int
) -> None:
    """Recommend settings for a number of users, by a simulation with measured figures. See docs/scale.md."""
    try:
        from gateway.sizing.advice import TooSmall, recommend
    except ImportError as error:
        raise click.ClickException(
            f"This needs SimPy, which is not installed: {sys.executable} -m pip install simpy==4.1.2"
        ) from error
    habits = Habits(users, think_seconds=think, turns=turns, pause_seconds=pause, tokens=tokens)
    machine = Machine(cores, int(memory * 1e9))
    try:
        advice = recommend(Figures.load(), habits, machine)
    except TooSmall as error:
        raise click.ClickException(str(error)) from error
    click.echo(describe_advice(advice, machine))


@main.command()
@click.argument("client", required=False, type=click.Choice(list(BY_NAME)), metavar="[CLIENT]")
@click.option("--address", help="Address of the gateway as the client reaches it.  [default: this machine]")
@click.option("--key", help="API key of the client.")
@click.option("--model", help="Model to use.  [default: DEFAULT_MODEL, or sonnet]")
def connect(client: str | None, address: str | None, key: str | None, model: str | None) -> None:
    """Show what to enter or write so that CLIENT uses this gateway. Without CLIENT, list the clients."""
    if client is None:
        rows = [(recipe.name, recipe.title, PATHS[recipe.dialect]) for recipe in RECIPES]
        click.echo(_format_table([("NAME", "CLIENT", "ENDPOINT"), *rows]))
        return
    settings = load()
    catalog = ModelCatalog(
        settings.claude_code_api_models_path, settings.default_model, settings.model_patterns
    )
    reached = (address or local_address(settings)).rstrip("/").removesuffix("/v1")
    values = values_for(settings, catalog, reached, key=key, model=model)
    click.echo(to_text(fill_recipe(BY_NAME[client], values)), nl=False)
    if values.key == KEY_TO_FILL_IN:
        click.echo(f"To get a key: python -m gateway keys create {client}", err=True)


def _load_database_url() -> str:
    """Return the setting. A mistake in another one must not keep a key from being revoked."""
    settings, problem = load_valid()
    if "DATABASE_URL=" in problem:
        raise SettingsError(problem)
    if problem:
        click.echo(f"Warning: {problem}", err=True)
    return settings.database_url


def _format_group(group: UsageGroup) -> str:
    return f"{group.name} ({group.key_name})" if group.key_name else group.name or "-"


def _format_figures(figures: UsageFigures) -> tuple[str, ...]:
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
        _format_time(key.expires_at),
        _format_time(key.last_used_at),
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


def _parse_hosted_tools(names: Sequence[str]) -> list[str]:
    return [name for name in names if name != NONE]


def _format_hosted_tools(key: Key) -> str:
    return "the gateway's" if key.hosted_tools is None else ", ".join(key.hosted_tools) or NONE


def _format_time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z" if moment else "never"


def _format_names(names: Iterable[str] | None) -> str:
    return "all" if names is None else ", ".join(names)


def _format_table(rows: Sequence[Sequence[str]], *, numbers: bool = False) -> str:
    """Format rows in aligned columns. With `numbers`, all columns but the first are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rest = str.rjust if numbers else str.ljust
    lines = ("  ".join([row[0].ljust(widths[0]), *map(rest, row[1:], widths[1:])]).rstrip() for row in rows)
    return "\n".join(lines)
