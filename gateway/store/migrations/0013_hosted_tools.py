"""Add the hosted tools of keys, and the number of their calls. It is written out: a migration must never change."""

from typing import Any

from peewee import SQL, BigIntegerField, Node, TextField


def up(migrator: Any, db: Any) -> None:
    """Add the columns. The counts have a default, because old workers may still add answers."""
    zero: list[Node] = [SQL("DEFAULT 0")]
    migrator.migrate(
        migrator.add_column("api_keys", "hosted_tools", TextField(null=True)),
        migrator.add_column("usage", "web_searches", BigIntegerField(default=0, constraints=zero)),
        migrator.add_column("usage", "web_fetches", BigIntegerField(default=0, constraints=zero)),
    )
