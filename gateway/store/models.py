"""The current tables; `project_models`, `admin_models` and `alert_models` have further ones.

The files in migrations/ create them, step by step.

No model is bound to a database: a query gets its database when it runs (`query.execute(db)`), so several stores can
live in one process.
"""

from peewee import (
    AutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    DoubleField,
    ForeignKeyField,
    Model,
)

from gateway.store.columns import CleanTextField, JsonField, MomentField


class ApiKey(Model):
    """A client's key. Only the SHA-256 of its secret is stored; people recognize the key by `prefix`."""

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
    hosted_tools = JsonField(null=True)
    accounts = JsonField(null=True)
    fallback = JsonField(null=True)
    notes = CleanTextField(null=True)
    team_id = CleanTextField(null=True)
    keeps_bodies = BooleanField(default=False)
    total_requests = BigIntegerField(default=0)
    total_tokens = BigIntegerField(default=0)
    total_cost = DoubleField(default=0.0)

    class Meta:
        table_name = "api_keys"


class AdminSession(Model):
    """A session of the dashboard, opened with the key of `key_hash`. Only the browser has the token itself."""

    token_hash = CleanTextField(primary_key=True)
    key_hash = CleanTextField()
    expires_at = MomentField(index=True)

    class Meta:
        table_name = "admin_sessions"


class LimitCounter(Model):
    """The count of one window of time, whose name is `key`. The row is ignored after `expires_at`."""

    key = CleanTextField(primary_key=True)
    count = BigIntegerField()
    expires_at = DoubleField(index=True)

    class Meta:
        table_name = "limit_counters"


class LimitLease(Model):
    """An answer that is being written, on one of its client's numbered slots. The slot is free after `expires_at`.

    `who` is the client: the id of a key, or an address.
    """

    id = CleanTextField(primary_key=True)
    who = CleanTextField()
    slot = BigIntegerField()
    expires_at = DoubleField()

    class Meta:
        table_name = "limit_leases"
        indexes = ((("who", "slot"), True),)


class LimitReservation(Model):
    """The part of its client's budgets that a running answer may need, until `expires_at`.

    `who` is the client: the id of a key, or an address. `usd` is in millionths.
    """

    id = CleanTextField(primary_key=True)
    who = CleanTextField(index=True)
    tokens = BigIntegerField()
    usd = BigIntegerField()
    expires_at = DoubleField()

    class Meta:
        table_name = "limit_reservations"


class Session(Model):
    """A conversation. Its messages are stored if `is_stored` is set.

    `running_turn` is the turn that runs in the session. It has a lease until `running_until`, which its worker renews.
    Sessions are deleted when they end, so `is_active` is always true; the column is for other programs that read it.
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
    """A message of a session, in the chat dialect. The ids are in the order of the conversation."""

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


class ApprovalRow(Model):
    """A request for the approval of a tool call. `decision` is the newest one, "approved" or "denied"."""

    id = AutoField()
    call_id = CleanTextField()
    owner = CleanTextField()
    project = CleanTextField(default="")
    kind = CleanTextField()
    server = CleanTextField()
    name = CleanTextField()
    arguments = JsonField()
    created_at = MomentField()
    expires_at = MomentField(index=True)
    decision = CleanTextField(null=True)

    class Meta:
        table_name = "approvals"
        indexes = ((("owner", "call_id"), False), (("project", "created_at"), False))


class UsageRow(Model):
    """One answer, also if it failed: a Record. `day` is the UTC date on which it began, as YYYY-MM-DD."""

    id = AutoField()
    request_id = CleanTextField(index=True)
    endpoint = CleanTextField()
    key_id = CleanTextField(null=True)
    key_name = CleanTextField(null=True)
    project_id = CleanTextField(null=True)
    session_id = CleanTextField(null=True)
    model = CleanTextField()
    account = CleanTextField(null=True)
    fallback_model = CleanTextField(null=True)
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
    web_searches = BigIntegerField(default=0)
    web_fetches = BigIntegerField(default=0)
    cost = DoubleField(default=0.0)
    is_estimated = BooleanField(default=False)

    class Meta:
        table_name = "usage"


class ResponseRow(Model):
    """A response of the Responses API. `body` lacks the output, whose items are ResponseItems.

    A worker that writes the response in the background has a lease until `leased_until`.
    """

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


class ConversationRow(Model):
    """A conversation that clients add to: one of `/v1/conversations`, or a thread of the Messages API.

    `body` holds its metadata, or the fields that are the same in all requests of a thread. While an answer is being
    written in the conversation, `holder` is the answer's id, and its worker has a lease until `leased_until`.
    """

    id = CleanTextField(primary_key=True)
    owner = CleanTextField(index=True)
    body = JsonField()
    created_at = MomentField()
    expires_at = MomentField(index=True)
    holder = CleanTextField(null=True, index=True)
    leased_until = MomentField(null=True)

    class Meta:
        table_name = "conversations"


class ConversationItem(Model):
    """An item of a conversation, or a message of a thread. Ids are in the order of the items."""

    id = AutoField()
    conversation = ForeignKeyField(ConversationRow, on_delete="CASCADE", index=False)
    owner = CleanTextField()
    item_id = CleanTextField()
    item = JsonField()

    class Meta:
        table_name = "conversation_items"
        indexes = (
            (("conversation", "id"), False),
            (("conversation", "item_id"), True),
            (("owner", "item_id"), False),
        )


class ResponseItem(Model):
    """An item of a response's input or output. Ids are in the order of the items. Responses may share an `item_id`."""

    id = AutoField()
    response = ForeignKeyField(ResponseRow, on_delete="CASCADE")
    owner = CleanTextField()
    item_id = CleanTextField()
    is_output = BooleanField()
    item = JsonField()

    class Meta:
        table_name = "response_items"
        indexes = ((("owner", "item_id"), False),)


class ResponseEvents(Model):
    """Some events of a background response that was requested as a stream, compressed with Zstandard.

    The events have the sequence numbers `first_number` and following.
    """

    id = AutoField()
    response = ForeignKeyField(ResponseRow, on_delete="CASCADE", index=False)
    first_number = BigIntegerField()
    data = BlobField()

    class Meta:
        table_name = "response_events"
        indexes = ((("response", "first_number"), True),)


class FileRow(Model):
    """A file of a client. Others see it when `is_complete` is set: until then, its content is still being written."""

    id = CleanTextField(primary_key=True)
    owner = CleanTextField()
    filename = CleanTextField()
    purpose = CleanTextField()
    content_type = CleanTextField()
    size = BigIntegerField()
    is_complete = BooleanField()
    created_at = MomentField()
    expires_at = MomentField(index=True)

    class Meta:
        table_name = "files"
        indexes = ((("owner", "created_at", "id"), False),)


class FileChunk(Model):
    """A part of a file's content. The positions of a file's chunks are 0, 1, 2 and so on."""

    id = AutoField()
    file = ForeignKeyField(FileRow, on_delete="CASCADE", index=False)
    position = BigIntegerField()
    data = BlobField()

    class Meta:
        table_name = "file_chunks"
        indexes = ((("file", "position"), True),)


class BatchRow(Model):
    """A batch of requests, of the API `kind` ("openai" or "anthropic"). The statuses are named as OpenAI names them.

    `key_id`, `address`, `client` and `headers` describe the request that created it; its items run in that name.
    `waiting` says why no item runs until `waits_until`. The worker that validates or finishes the batch has a lease
    until `leased_until`.
    """

    id = CleanTextField(primary_key=True)
    owner = CleanTextField()
    kind = CleanTextField()
    endpoint = CleanTextField()
    status = CleanTextField()
    completion_window = CleanTextField()
    input_file_id = CleanTextField(null=True)
    output_file_id = CleanTextField(null=True)
    error_file_id = CleanTextField(null=True)
    output_seconds = BigIntegerField(null=True)
    metadata = JsonField(null=True)
    errors = JsonField(null=True)
    model = CleanTextField(null=True)
    key_id = CleanTextField(null=True)
    address = CleanTextField()
    client = CleanTextField()
    headers = JsonField(default=dict)
    created_at = MomentField()
    expires_at = MomentField()
    in_progress_at = MomentField(null=True)
    finalizing_at = MomentField(null=True)
    cancelling_at = MomentField(null=True)
    ended_at = MomentField(null=True)
    waiting = JsonField(null=True)
    waits_until = MomentField(null=True)
    lease_id = CleanTextField(null=True)
    leased_until = MomentField(null=True)
    total = BigIntegerField(default=0)
    succeeded = BigIntegerField(default=0)
    errored = BigIntegerField(default=0)
    canceled = BigIntegerField(default=0)
    expired = BigIntegerField(default=0)
    input_tokens = BigIntegerField(default=0)
    cached_tokens = BigIntegerField(default=0)
    output_tokens = BigIntegerField(default=0)
    thinking_tokens = BigIntegerField(default=0)

    class Meta:
        table_name = "batches"
        indexes = ((("owner", "kind", "created_at"), False), (("status",), False), (("ended_at",), False))


class BatchItem(Model):
    """A request of a batch, and its result. The ids are in the order of the requests.

    An item without an `outcome` may be taken from `available_at` on. The worker that has taken it writes its `lease_id`
    and moves `available_at` to the end of the lease. `body` is the request as JSON, and `result` the line of the
    results; `body` is emptied when there is a result.
    """

    id = AutoField()
    batch = ForeignKeyField(BatchRow, on_delete="CASCADE", index=False)
    custom_id = CleanTextField()
    body = CleanTextField()
    available_at = DoubleField(default=0.0)
    lease_id = CleanTextField(null=True, index=True)
    tries = BigIntegerField(default=0)
    outcome = CleanTextField(null=True)
    result = CleanTextField(null=True)

    class Meta:
        table_name = "batch_items"
        indexes = ((("batch", "custom_id"), True),)
