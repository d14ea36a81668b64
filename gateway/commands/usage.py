"""`claude-gateway usage`: sum up the usage of answers, for example `usage --by key --days 7`."""

from datetime import datetime, timedelta, timezone

import click

from gateway.command_line.stores import open_store
from gateway.command_line.tables import format_table
from gateway.record import GROUPS, GroupBy
from gateway.store.usage import UsageFigures, UsageGroup, UsageTable, sum_figures

HEADINGS = ("REQUESTS", "FAILED", "CUT", "INPUT", "CACHE READ", "CACHE WRITE", "OUTPUT", "COST")


@click.command("usage")
@click.option("--by", type=click.Choice(GROUPS), default="day", show_default=True, help="Group the sums.")
@click.option(
    "--days",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="Number of days, including today.",
)
def command(by: GroupBy, days: int) -> None:
    """Show the usage of answers: requests, tokens, and cost in USD. Days are in UTC."""
    today = datetime.now(timezone.utc).date()
    with open_store() as store:
        groups = UsageTable(store).sum_by(by, today - timedelta(days=days - 1), today)
    if not groups:
        click.echo("There is no usage.")
        return
    rows = [(_format_group(group), *_format_figures(group.figures)) for group in groups]
    heading = (by.upper(), *HEADINGS)
    total = ("TOTAL", *_format_figures(sum_figures(groups)))
    click.echo(format_table([heading, *rows, total], numbers=True))


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
