"""`claude-gateway teams`: teams, whose keys share budgets, for example `teams create web --usd-per-month 200`."""

from collections.abc import Callable
from typing import Any

import click

from gateway.command_line.stores import open_store
from gateway.command_line.tables import format_table
from gateway.store.limits.budgets import LONG_BUDGET_NAMES
from gateway.store.teams import Team, Teams

HEADINGS = ("ID", "NAME", "KEYS", "BUDGETS", "NOTES")


def add_budget_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each budget to a command."""
    for name in reversed(LONG_BUDGET_NAMES):
        words = name.replace("_", " ").replace("usd", "US dollars")
        kind: Any = click.FloatRange(min=0) if name.startswith("usd") else click.IntRange(min=0)
        option = click.option(
            f"--{name.replace('_', '-')}", type=kind, help=f"Maximum {words} of all its keys. 0: no limit."
        )
        command = option(command)
    return command


@click.group("teams")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Manage teams, whose keys share budgets."""
    ctx.obj = Teams(ctx.with_resource(open_store()))


@command.command()
@click.argument("name")
@click.option("--notes", default="", help="Text for admins.")
@add_budget_options
@click.pass_obj
def create(teams: Teams, /, name: str, notes: str, **limits: float | None) -> None:
    """Create a team called NAME. Keys join it with `keys team`."""
    given = {name: value for name, value in limits.items() if value is not None}
    click.echo(_describe(teams.create(name, limits=given, notes=notes)))


@command.command("list")
@click.pass_obj
def list_teams(teams: Teams) -> None:
    """List all teams."""
    rows = [(one.id, one.name, str(one.keys), _format_limits(one), one.notes or "-") for one in teams.list()]
    click.echo(format_table([HEADINGS, *rows]) if rows else "There are no teams.")


@command.command()
@click.argument("team_id", metavar="ID")
@add_budget_options
@click.pass_obj
def limit(teams: Teams, /, team_id: str, **limits: float | None) -> None:
    """Change the budgets of a team."""
    given = {name: value for name, value in limits.items() if value is not None}
    click.echo(_describe(teams.change(team_id, {"limits": given})))


@command.command()
@click.argument("team_id", metavar="ID")
@click.pass_obj
def delete(teams: Teams, team_id: str) -> None:
    """Delete a team that only revoked keys belong to."""
    team = teams.delete(team_id)
    click.echo(f"{team.id} ({team.name}) is deleted.")


def _describe(team: Team) -> str:
    return f"{team.id} ({team.name}): {_format_limits(team)}"


def _format_limits(team: Team) -> str:
    return ", ".join(f"{name}={value}" for name, value in team.limits.items() if value) or "no budgets"
