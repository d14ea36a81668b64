"""Add a column to sessions that other programs expect. It is written out because a migration must never change."""

from typing import Any

from peewee import SQL, BooleanField


def up(migrator: Any, db: Any) -> None:
    """Add the column, which is true everywhere. It has a default, because old workers may still add sessions."""
    column = BooleanField(default=True, constraints=[SQL("DEFAULT TRUE")])
    migrator.migrate(migrator.add_column("sessions", "is_active", column))
