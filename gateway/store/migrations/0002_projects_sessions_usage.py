"""Add projects, sessions, messages and usage. The columns are written out because a migration must never change."""

from typing import Any

from peewee import BigIntegerField, BooleanField, DoubleField, ForeignKeyField, TextField


def up(migrator: Any, db: Any) -> None:
    """Create the tables."""

    class Project(db.Model):  # type: ignore[misc]
        id = TextField(primary_key=True)
        owner = TextField(index=True)
        name = TextField()
        description = TextField(null=True)
        path = TextField(unique=True)
        policy = TextField()
        created_at = DoubleField(index=True)
        updated_at = DoubleField()
        is_active = BooleanField()

        class Meta:
            table_name = "projects"

    class Session(db.Model):  # type: ignore[misc]
        id = TextField(primary_key=True)
        owner = TextField(index=True)
        project_id = TextField(null=True, index=True)
        title = TextField(null=True)
        model = TextField(null=True)
        system_prompt = TextField(null=True)
        claude_session_id = TextField(null=True, index=True)
        is_stored = BooleanField()
        created_at = DoubleField(index=True)
        updated_at = DoubleField(index=True)
        running_turn = TextField(null=True, index=True)
        running_until = DoubleField(null=True)
        stop_requested = BooleanField()
        total_tokens = BigIntegerField()
        total_cost = DoubleField()
        message_count = BigIntegerField()

        class Meta:
            table_name = "sessions"

    class SessionMessage(db.Model):  # type: ignore[misc]
        session = ForeignKeyField(Session, on_delete="CASCADE")
        role = TextField()
        content = TextField()
        metadata = TextField(null=True)
        created_at = DoubleField()
        input_tokens = BigIntegerField()
        output_tokens = BigIntegerField()
        cost = DoubleField()

        class Meta:
            table_name = "messages"

    class Usage(db.Model):  # type: ignore[misc]
        request_id = TextField(index=True)
        endpoint = TextField()
        key_id = TextField(null=True)
        key_name = TextField(null=True)
        project_id = TextField(null=True)
        session_id = TextField(null=True)
        model = TextField()
        client = TextField()
        address = TextField()
        streamed = BooleanField()
        outcome = TextField()
        error = TextField(null=True)
        stop_reason = TextField(null=True)
        created_at = DoubleField(index=True)
        day = TextField()
        first_seconds = DoubleField(null=True)
        seconds = DoubleField()
        input_tokens = BigIntegerField()
        cache_read_tokens = BigIntegerField()
        cache_write_tokens = BigIntegerField()
        output_tokens = BigIntegerField()
        thinking_tokens = BigIntegerField()
        cost = DoubleField()
        is_estimated = BooleanField()

        class Meta:
            table_name = "usage"
            indexes = ((("key_id", "created_at"), False),)

    db.create_tables([Project, Session, SessionMessage, Usage], safe=False)
