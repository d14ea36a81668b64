"""The tables as they are now; how they came to be is in migrations/.

No model is bound to a database: queries are given theirs when they run (`query.execute(db)`), so that several stores
can live in one process.
"""

from __future__ import annotations

from peewee import AutoField, BigIntegerField, BooleanField, DoubleField, ForeignKeyField, Model

from gateway.store.fields import CleanTextField, JsonField, MomentField


class ApiKey(Model):
    """A client's key. The key itself is nowhere, only its SHA-256; `prefix` is what people know it by."""

    id = CleanTextField(primary_key=True)
    key_hash = CleanTextField(unique=True)
    prefix = CleanTextField()
    name = CleanTextField()
    is_admin = BooleanField(default=False)
    is_active = BooleanField(default=True)
    created_at = MomentField()
    expires_at = MomentField(null=True)
    last_used_at = MomentField(null=True)
    allowed_models = JsonField(null=True)
    allowed_projects = JsonField(null=True)
    limits = JsonField(default=dict)
    total_requests = BigIntegerField(default=0)
    total_tokens = BigIntegerField(default=0)
    total_cost = DoubleField(default=0.0)

    class Meta:
        table_name = "api_keys"


class AdminSession(Model):
    """Somebody signed in to the dashboard with the key of `key_hash`. The token itself only their browser has."""

    token_hash = CleanTextField(primary_key=True)
    key_hash = CleanTextField()
    expires_at = MomentField(index=True)

    class Meta:
        table_name = "admin_sessions"


class LimitCounter(Model):
    """How much was used in one window of time. The key names the window; after `expires_at` the row means nothing."""

    key = CleanTextField(primary_key=True)
    count = BigIntegerField()
    expires_at = DoubleField(index=True)

    class Meta:
        table_name = "limit_counters"


class LimitLease(Model):
    """An answer that is being written, on one of its client's numbered slots. Past `expires_at` the slot is free."""

    id = CleanTextField(primary_key=True)
    who = CleanTextField()
    slot = BigIntegerField()
    expires_at = DoubleField()

    class Meta:
        table_name = "limit_leases"
        indexes = ((("who", "slot"), True),)


class Project(Model):
    """A project: a folder and what answers may do in it. `policy` is the policy's own JSON object."""

    id = CleanTextField(primary_key=True)
    owner = CleanTextField(index=True)
    name = CleanTextField()
    description = CleanTextField(null=True)
    path = CleanTextField(unique=True)
    policy = JsonField(default=dict)
    created_at = MomentField(index=True)
    updated_at = MomentField()
    is_active = BooleanField(default=True)

    class Meta:
        table_name = "projects"


class Session(Model):
    """A conversation. Its messages are there if `is_stored`.

    What is not active any more is deleted, so `is_active` is true; those who read the table expect it there.

    The turn `running_turn` has it until `running_until` at most; whoever runs it puts that off again and again.
    """

    id = CleanTextField(primary_key=True)
    owner = CleanTextField(index=True)
    project_id = CleanTextField(null=True, index=True)
    title = CleanTextField(null=True)
    model = CleanTextField(null=True)
    system_prompt = CleanTextField(null=True)
    is_active = BooleanField(default=True)
    claude_session_id = CleanTextField(null=True, index=True)
    is_stored = BooleanField(default=True)
    created_at = MomentField(index=True)
    updated_at = MomentField(index=True)
    running_turn = CleanTextField(null=True, index=True)
    running_until = MomentField(null=True)
    stop_requested = BooleanField(default=False)
    total_tokens = BigIntegerField(default=0)
    total_cost = DoubleField(default=0.0)
    message_count = BigIntegerField(default=0)

    class Meta:
        table_name = "sessions"


class SessionMessage(Model):
    """A message of a session, in the order of the ids. `content` is the message as its dialect has it."""

    id = AutoField()
    session = ForeignKeyField(Session, on_delete="CASCADE")
    role = CleanTextField()
    content = JsonField()
    metadata = JsonField(null=True)
    created_at = MomentField()
    input_tokens = BigIntegerField(default=0)
    output_tokens = BigIntegerField(default=0)
    cost = DoubleField(default=0.0)

    class Meta:
        table_name = "messages"


class UsageRow(Model):
    """One answer, or one that failed: a Record. `day` is the UTC date it began on, YYYY-MM-DD."""

    id = AutoField()
    request_id = CleanTextField(index=True)
    endpoint = CleanTextField()
    key_id = CleanTextField(null=True)
    key_name = CleanTextField(null=True)
    project_id = CleanTextField(null=True)
    session_id = CleanTextField(null=True)
    model = CleanTextField()
    client = CleanTextField()
    address = CleanTextField()
    streamed = BooleanField()
    outcome = CleanTextField()
    error = CleanTextField(null=True)
    stop_reason = CleanTextField(null=True)
    created_at = MomentField(index=True)
    day = CleanTextField()
    first_seconds = DoubleField(null=True)
    seconds = DoubleField()
    input_tokens = BigIntegerField(default=0)
    cache_read_tokens = BigIntegerField(default=0)
    cache_write_tokens = BigIntegerField(default=0)
    output_tokens = BigIntegerField(default=0)
    thinking_tokens = BigIntegerField(default=0)
    cost = DoubleField(default=0.0)
    is_estimated = BooleanField(default=False)

    class Meta:
        table_name = "usage"


class ResponseRow(Model):
    """A response of the Responses API. `body` is it without its output; while it is written, a worker holds a lease."""

    id = CleanTextField(primary_key=True)
    owner = CleanTextField(index=True)
    previous_id = CleanTextField(null=True)
    status = CleanTextField()
    is_background = BooleanField(default=False)
    body = JsonField()
    created_at = MomentField()
    expires_at = MomentField(index=True)
    leased_until = MomentField(null=True)

    class Meta:
        table_name = "responses"


class ResponseItem(Model):
    """An item of a response's input or output, in the order of the ids. `item_id` is unique to no response."""

    id = AutoField()
    response = ForeignKeyField(ResponseRow, on_delete="CASCADE")
    owner = CleanTextField()
    item_id = CleanTextField()
    is_output = BooleanField()
    item = JsonField()

    class Meta:
        table_name = "response_items"
        indexes = ((("owner", "item_id"), False),)
