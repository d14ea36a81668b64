"""The tables as they are now; how they came to be is in migrations/.

No model is bound to a database: queries are given theirs when they run (`query.execute(db)`), so that several stores
can live in one process.
"""

from __future__ import annotations

from peewee import AutoField, BooleanField, DoubleField, ForeignKeyField, IntegerField, Model, TextField

from gateway.store.fields import JsonField, MomentField


class ApiKey(Model):
    """A client's key. The key itself is nowhere, only its SHA-256; `prefix` is what people know it by."""

    id = TextField(primary_key=True)
    key_hash = TextField(unique=True)
    prefix = TextField()
    name = TextField()
    is_admin = BooleanField(default=False)
    is_active = BooleanField(default=True)
    created_at = MomentField()
    expires_at = MomentField(null=True)
    last_used_at = MomentField(null=True)
    allowed_models = JsonField(null=True)
    allowed_projects = JsonField(null=True)
    limits = JsonField(default=dict)
    total_requests = IntegerField(default=0)
    total_tokens = IntegerField(default=0)
    total_cost = DoubleField(default=0.0)

    class Meta:
        table_name = "api_keys"


class Project(Model):
    """A project: a folder and what answers may do in it. `policy` is the policy's own JSON object."""

    id = TextField(primary_key=True)
    owner = TextField(index=True)
    name = TextField()
    description = TextField(null=True)
    path = TextField(unique=True)
    policy = JsonField(default=dict)
    created_at = MomentField(index=True)
    updated_at = MomentField()
    is_active = BooleanField(default=True)

    class Meta:
        table_name = "projects"


class Session(Model):
    """A conversation. Its messages are there if `is_stored`.

    The turn `running_turn` has it until `running_until` at most; whoever runs it puts that off again and again.
    """

    id = TextField(primary_key=True)
    owner = TextField(index=True)
    project_id = TextField(null=True, index=True)
    title = TextField(null=True)
    model = TextField(null=True)
    system_prompt = TextField(null=True)
    claude_session_id = TextField(null=True, index=True)
    is_stored = BooleanField(default=True)
    created_at = MomentField(index=True)
    updated_at = MomentField(index=True)
    running_turn = TextField(null=True, index=True)
    running_until = MomentField(null=True)
    stop_requested = BooleanField(default=False)
    total_tokens = IntegerField(default=0)
    total_cost = DoubleField(default=0.0)
    message_count = IntegerField(default=0)

    class Meta:
        table_name = "sessions"


class SessionMessage(Model):
    """A message of a session, in the order of the ids. `content` is the message as its dialect has it."""

    id = AutoField()
    session = ForeignKeyField(Session, on_delete="CASCADE")
    role = TextField()
    content = JsonField()
    metadata = JsonField(null=True)
    created_at = MomentField()
    input_tokens = IntegerField(default=0)
    output_tokens = IntegerField(default=0)
    cost = DoubleField(default=0.0)

    class Meta:
        table_name = "messages"


class Usage(Model):
    """One answer, or one that failed: a Record."""

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
    created_at = MomentField(index=True)
    first_seconds = DoubleField(null=True)
    seconds = DoubleField()
    input_tokens = IntegerField(default=0)
    cache_read_tokens = IntegerField(default=0)
    cache_write_tokens = IntegerField(default=0)
    output_tokens = IntegerField(default=0)
    thinking_tokens = IntegerField(default=0)
    cost = DoubleField(default=0.0)
    is_estimated = BooleanField(default=False)

    class Meta:
        table_name = "usage"
