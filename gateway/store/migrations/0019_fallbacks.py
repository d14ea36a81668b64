"""Add the fallbacks of keys, and the models that they asked. It is written out: a migration must never change."""

from typing import Any

from peewee import TextField


def up(migrator: Any, db: Any) -> None:
    """Add the columns."""
    migrator.migrate(
        migrator.add_column("api_keys", "fallback", TextField(null=True)),
        migrator.add_column("usage", "fallback_model", TextField(null=True)),
        migrator.add_column("requests", "fallback_model", TextField(null=True)),
    )
