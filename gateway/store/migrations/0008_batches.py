"""Add batches and their items. The columns are written out because a migration must never change."""

from typing import Any

from peewee import BigIntegerField, DoubleField, ForeignKeyField, TextField


def up(migrator: Any, db: Any) -> None:
    """Create the tables."""

    class BatchRow(db.Model):  # type: ignore[misc]
        id = TextField(primary_key=True)
        owner = TextField()
        kind = TextField()
        endpoint = TextField()
        status = TextField()
        completion_window = TextField()
        input_file_id = TextField(null=True)
        output_file_id = TextField(null=True)
        error_file_id = TextField(null=True)
        output_seconds = BigIntegerField(null=True)
        metadata = TextField(null=True)
        errors = TextField(null=True)
        model = TextField(null=True)
        key_id = TextField(null=True)
        address = TextField()
        client = TextField()
        headers = TextField()
        created_at = DoubleField()
        expires_at = DoubleField()
        in_progress_at = DoubleField(null=True)
        finalizing_at = DoubleField(null=True)
        cancelling_at = DoubleField(null=True)
        ended_at = DoubleField(null=True)
        waiting = TextField(null=True)
        waits_until = DoubleField(null=True)
        lease_id = TextField(null=True)
        leased_until = DoubleField(null=True)
        total = BigIntegerField()
        succeeded = BigIntegerField()
        errored = BigIntegerField()
        canceled = BigIntegerField()
        expired = BigIntegerField()
        input_tokens = BigIntegerField()
        cached_tokens = BigIntegerField()
        output_tokens = BigIntegerField()
        thinking_tokens = BigIntegerField()

        class Meta:
            table_name = "batches"
            indexes = ((("owner", "kind", "created_at"), False), (("status",), False), (("ended_at",), False))

    class BatchItem(db.Model):  # type: ignore[misc]
        batch = ForeignKeyField(BatchRow, on_delete="CASCADE", index=False)
        custom_id = TextField()
        body = TextField()
        available_at = DoubleField()
        lease_id = TextField(null=True, index=True)
        tries = BigIntegerField()
        outcome = TextField(null=True)
        result = TextField(null=True)

        class Meta:
            table_name = "batch_items"
            indexes = ((("batch", "custom_id"), True),)

    db.create_tables([BatchRow, BatchItem], safe=False)
    # Finding the next item must not read the finished ones.
    db.execute_sql("CREATE INDEX batch_items_open ON batch_items (batch_id, id) WHERE outcome IS NULL")
    # Results are read in order, a slice at a time.
    db.execute_sql("CREATE INDEX batch_items_order ON batch_items (batch_id, id)")
