"""Add the events of streamed background responses. The columns are written out: a migration must never change."""

from typing import Any

from peewee import BigIntegerField, BlobField, ForeignKeyField, TextField


def up(migrator: Any, db: Any) -> None:
    """Create the table."""

    class Response(db.Model):  # type: ignore[misc]
        id = TextField(primary_key=True)

        class Meta:
            table_name = "responses"

    class ResponseEvents(db.Model):  # type: ignore[misc]
        response = ForeignKeyField(Response, on_delete="CASCADE", index=False)
        first_number = BigIntegerField()
        data = BlobField()

        class Meta:
            table_name = "response_events"
            indexes = ((("response", "first_number"), True),)

    db.create_tables([ResponseEvents], safe=False)
