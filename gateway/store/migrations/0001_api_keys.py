"""Add the table of keys. The columns are written out because a migration must never change."""

from typing import Any

from peewee import BigIntegerField, BooleanField, DoubleField, TextField


def up(migrator: Any, db: Any) -> None:
    """Create the table."""

    class ApiKey(db.Model):  # type: ignore[misc]
        id = TextField(primary_key=True)
        key_hash = TextField(unique=True)
        prefix = TextField()
        name = TextField()
        is_admin = BooleanField()
        is_active = BooleanField()
        created_at = DoubleField()
        expires_at = DoubleField(null=True)
        last_used_at = DoubleField(null=True)
        allowed_models = TextField(null=True)
        allowed_projects = TextField(null=True)
        limits = TextField()
        total_requests = BigIntegerField()
        total_tokens = BigIntegerField()
        total_cost = DoubleField()

        class Meta:
            table_name = "api_keys"

    db.create_tables([ApiKey], safe=False)
