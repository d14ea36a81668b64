"""`claude-gateway audit`: who changed what, and when, for example `audit --action key.revoke`."""

import json

import click

from gateway.command_line.stores import open_store
from gateway.command_line.tables import format_table
from gateway.store.audit import AuditEntry, AuditLog, AuditQuery

HEADINGS = ("TIME", "BY", "ACTION", "TARGET", "CHANGE")


@click.command("audit")
@click.option(
    "--count", type=click.IntRange(1, 1000), default=20, show_default=True, help="Number of entries."
)
@click.option("--action", help="Only this action, for example key.revoke, or key for all actions on keys.")
@click.option("--target", help="Only changes of the key or team with this id.")
def command(count: int, action: str | None, target: str | None) -> None:
    """List the changes of keys and teams, the newest first."""
    with open_store() as store:
        page = AuditLog(store).list_page(AuditQuery(limit=count, action=action, target_id=target))
    rows = [
        (
            f"{entry.created_at:%Y-%m-%d %H:%M}Z",
            entry.actor_name,
            entry.action,
            entry.target_id,
            _describe(entry),
        )
        for entry in page.entries
    ]
    click.echo(format_table([HEADINGS, *rows]) if rows else "There are no entries.")


def _describe(entry: AuditEntry) -> str:
    """Return the changed fields as `name: before → after`."""
    before, after = entry.before or {}, entry.after or {}
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    changes = (f"{name}: {_show(before.get(name))} → {_show(after.get(name))}" for name in names)
    return "; ".join(changes) if entry.before is not None and entry.after is not None else "-"


def _show(value: object) -> str:
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value)
