"""The current tables of administration: teams, changes, settings of the run time, and requests. See `models`."""

from peewee import AutoField, BigIntegerField, BooleanField, DoubleField, Model

from gateway.store.columns import CleanTextField, JsonField, MomentField


class TeamRow(Model):
    """A team, whose keys share budgets. `limits` has the names of BUDGET_NAMES."""

    id = CleanTextField(primary_key=True)
    name = CleanTextField()
    limits = JsonField(default=dict)
    notes = CleanTextField(default="")
    created_at = MomentField()

    class Meta:
        table_name = "teams"


class AuditRow(Model):
    """A change by an admin key or by the command line. `actor_id` is the id of a key, if it was one."""

    id = AutoField()
    created_at = MomentField(index=True)
    actor_id = CleanTextField(null=True)
    actor_name = CleanTextField()
    address = CleanTextField()
    request_id = CleanTextField()
    action = CleanTextField()
    target_id = CleanTextField()
    before = JsonField(null=True)
    after = JsonField(null=True)

    class Meta:
        table_name = "audit_log"
        indexes = ((("target_id", "id"), False),)


class RuntimeSettingRow(Model):
    """A setting that was changed at run time. `value` is text, as in a settings file."""

    name = CleanTextField(primary_key=True)
    value = CleanTextField()
    changed_at = MomentField()
    changed_by = CleanTextField()

    class Meta:
        table_name = "runtime_settings"


class RequestRow(Model):
    """A request for an answer, or one that was refused.

    `outcome` is "complete", "cut", "failed" or "refused". `repeats` is the number of requests like this one that were
    refused in the same minute, and have no rows. The seconds until the answer began are parts of it, in their order:
    parse, queue, process, set-up. `first_seconds` and `answer_seconds` count from the end of parsing, and `seconds`
    from the beginning to the last byte. `process` is "kept", "prepared", "warm" or "started". `repaired` and `ignored`
    are lists of codes and parameters with commas around each.
    """

    id = AutoField()
    created_at = MomentField()
    request_id = CleanTextField(index=True)
    owner = CleanTextField()
    key_id = CleanTextField(null=True)
    key_name = CleanTextField(null=True)
    address = CleanTextField()
    client = CleanTextField()
    method = CleanTextField()
    path = CleanTextField()
    dialect = CleanTextField()
    model = CleanTextField(null=True)
    account = CleanTextField(null=True)
    fallback_model = CleanTextField(null=True)
    project_id = CleanTextField(null=True)
    session_id = CleanTextField(null=True)
    status = BigIntegerField()
    outcome = CleanTextField()
    code = CleanTextField(null=True)
    reason = CleanTextField(null=True)
    stop_reason = CleanTextField(null=True)
    streamed = BooleanField(default=False)
    repeats = BigIntegerField(default=0)
    input_tokens = BigIntegerField(default=0)
    cache_read_tokens = BigIntegerField(default=0)
    cache_write_tokens = BigIntegerField(default=0)
    output_tokens = BigIntegerField(default=0)
    thinking_tokens = BigIntegerField(default=0)
    web_searches = BigIntegerField(default=0)
    web_fetches = BigIntegerField(default=0)
    cost = DoubleField(default=0.0)
    is_estimated = BooleanField(default=False)
    parse_seconds = DoubleField(null=True)
    queue_seconds = DoubleField(null=True)
    process_seconds = DoubleField(null=True)
    setup_seconds = DoubleField(null=True)
    first_seconds = DoubleField(null=True)
    answer_seconds = DoubleField(null=True)
    seconds = DoubleField()
    process = CleanTextField(null=True)
    attempts = BigIntegerField(default=0)
    repaired = CleanTextField(default="")
    ignored = CleanTextField(default="")
    body_id = CleanTextField(null=True)

    class Meta:
        table_name = "requests"
        indexes = ((("created_at", "id"), False), (("owner", "created_at"), False))


class RequestBody(Model):
    """The bodies of a request and its answer, for as long as they are kept. `is_cut` is set if one was too long."""

    id = CleanTextField(primary_key=True)
    created_at = MomentField(index=True)
    request = CleanTextField(null=True)
    answer = CleanTextField(null=True)
    is_cut = BooleanField(default=False)

    class Meta:
        table_name = "request_bodies"
