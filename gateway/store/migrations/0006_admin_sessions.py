"""Add sessions of the dashboard. The columns are written out because a migration must never change."""

from typing import Any

from peewee import DoubleField, TextField


def up(migrator: Any, db: Any) -> None:
    """Create the table."""

    class AdminSession(db.Model):  # type: ignore[misc]
        token_hash = TextField(primary_key=True)
        key_hash = TextField()
        expires_at = DoubleField(index=True)

        class Meta:
            table_name = "admin_sessions"

    db.create_tables([AdminSession], safe=False)
