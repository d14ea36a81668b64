"""Add stored responses and their items. The columns are written out because a migration must never change."""

from typing import Any

from peewee import BooleanField, DoubleField, ForeignKeyField, TextField


def up(migrator: Any, db: Any) -> None:
    """Create the tables."""

    class ResponseRow(db.Model):  # type: ignore[misc]
        id = TextField(primary_key=True)
        owner = TextField(index=True)
        previous_id = TextField(null=True)
        status = TextField()
        is_background = BooleanField()
        body = TextField()
        created_at = DoubleField()
        expires_at = DoubleField(index=True)
        leased_until = DoubleField(null=True)

        class Meta:
            table_name = "responses"

    class ResponseItem(db.Model):  # type: ignore[misc]
        response = ForeignKeyField(ResponseRow, on_delete="CASCADE")
        owner = TextField()
        item_id = TextField()
        is_output = BooleanField()
        item = TextField()

        class Meta:
            table_name = "response_items"
            indexes = ((("owner", "item_id"), False),)

    db.create_tables([ResponseRow, ResponseItem], safe=False)
