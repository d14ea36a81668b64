"""The current tables of administration: teams, changes, settings of the run time, and requests. See `models`."""

from peewee import AutoField, Model

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
