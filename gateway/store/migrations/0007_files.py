"""Add clients' files and their chunks. The columns are written out because a migration must never change."""

from typing import Any

from peewee import BigIntegerField, BlobField, BooleanField, DoubleField, ForeignKeyField, TextField


def up(migrator: Any, db: Any) -> None:
    """Create the tables."""

    class File(db.Model):  # type: ignore[misc]
        id = TextField(primary_key=True)
        owner = TextField()
        filename = TextField()
        purpose = TextField()
        content_type = TextField()
        size = BigIntegerField()
        is_complete = BooleanField()
        created_at = DoubleField()
        expires_at = DoubleField(index=True)

        class Meta:
            table_name = "files"
            indexes = ((("owner", "created_at", "id"), False),)

    class FileChunk(db.Model):  # type: ignore[misc]
        file = ForeignKeyField(File, on_delete="CASCADE", index=False)
        position = BigIntegerField()
        data = BlobField()

        class Meta:
            table_name = "file_chunks"
            indexes = ((("file", "position"), True),)

    db.create_tables([File, FileChunk], safe=False)
