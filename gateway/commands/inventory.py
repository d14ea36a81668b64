"""`claude-gateway inventory`: what clients have stored, for example `inventory files --key key_1`."""

import click

from gateway.answering.inventory import list_stored
from gateway.answering.services import find_idle_time
from gateway.command_line.stores import open_store, read_changes
from gateway.command_line.tables import format_table, format_time
from gateway.settings import load
from gateway.store.inventory import KINDS, Inventory, Kind
from gateway.store.keys import Keys
from gateway.store.sessions import SessionExpiry

COLUMNS: dict[Kind, tuple[str, ...]] = {
    "sessions": ("title", "model", "message_count", "total_tokens"),
    "projects": ("name", "path"),
    "files": ("filename", "purpose", "size"),
    "batches": ("status", "endpoint", "total", "succeeded", "errored"),
}


@click.command("inventory")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--key", "owner", help="Only the data of the key with this id.")
@click.option("--count", type=click.IntRange(1, 1000), default=20, show_default=True, help="Number of rows.")
def command(kind: Kind, owner: str | None, count: int) -> None:
    """List the sessions, projects, files or batches of all keys, the newest first, without their contents."""
    with open_store() as store:
        expiry = SessionExpiry(find_idle_time(read_changes(load(), store).current))
        inventory = Inventory(store, expiry)
        found, total = list_stored(inventory, Keys(store), kind, owner, 1, count)
    columns = COLUMNS[kind]
    heading = ("ID", "KEY", "CREATED", *(name.upper().replace("_", " ") for name in columns))
    rows = [
        (
            row["id"],
            row["key_name"] or row["owner"] or "-",
            format_time(row["created_at"]),
            *(str(row[name]) if row[name] is not None else "-" for name in columns),
        )
        for row in found
    ]
    click.echo(format_table([heading, *rows]) if rows else f"There are no {kind}.")
    if total > len(rows):
        click.echo(f"{total - len(rows)} older ones are not shown. See --count.")
