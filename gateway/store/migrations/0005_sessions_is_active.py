"""A column of sessions that those who read the table expect. Written out, as this file never changes."""

from __future__ import annotations

from typing import Any

from peewee import SQL, BooleanField


def up(migrator: Any, db: Any) -> None:
    """Add the column, true for all. Workers of before, who do not know it, may still add sessions."""
    column = BooleanField(default=True, constraints=[SQL("DEFAULT TRUE")])
    migrator.migrate(migrator.add_column("sessions", "is_active", column))
