"""Add the list of requests and the bodies that are kept. It is written out: a migration must never change."""

from typing import Any

from peewee import AutoField, BigIntegerField, BooleanField, DoubleField, TextField


def up(migrator: Any, db: Any) -> None:
    """Create the tables."""

    class RequestRow(db.Model):  # type: ignore[misc]
        id = AutoField()
        created_at = DoubleField()
        request_id = TextField(index=True)
        owner = TextField()
        key_id = TextField(null=True)
        key_name = TextField(null=True)
        address = TextField()
        client = TextField()
        method = TextField()
        path = TextField()
        dialect = TextField()
        model = TextField(null=True)
        account = TextField(null=True)
        project_id = TextField(null=True)
        session_id = TextField(null=True)
        status = BigIntegerField()
        outcome = TextField()
        code = TextField(null=True)
        reason = TextField(null=True)
        stop_reason = TextField(null=True)
        streamed = BooleanField()
        repeats = BigIntegerField()
        input_tokens = BigIntegerField()
        cache_read_tokens = BigIntegerField()
        cache_write_tokens = BigIntegerField()
        output_tokens = BigIntegerField()
        thinking_tokens = BigIntegerField()
        web_searches = BigIntegerField()
        web_fetches = BigIntegerField()
        cost = DoubleField()
        is_estimated = BooleanField()
        parse_seconds = DoubleField(null=True)
        queue_seconds = DoubleField(null=True)
        process_seconds = DoubleField(null=True)
        setup_seconds = DoubleField(null=True)
        first_seconds = DoubleField(null=True)
        answer_seconds = DoubleField(null=True)
        seconds = DoubleField()
        process = TextField(null=True)
        attempts = BigIntegerField()
        repaired = TextField()
        ignored = TextField()
        body_id = TextField(null=True)

        class Meta:
            table_name = "requests"
            indexes = ((("created_at", "id"), False), (("owner", "created_at"), False))

    class RequestBody(db.Model):  # type: ignore[misc]
        id = TextField(primary_key=True)
        created_at = DoubleField(index=True)
        request = TextField(null=True)
        answer = TextField(null=True)
        is_cut = BooleanField()

        class Meta:
            table_name = "request_bodies"

    db.create_tables([RequestRow, RequestBody], safe=False)
