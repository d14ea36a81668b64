"""The current tables of projects, and of what agents do in them. See `models`."""

from peewee import AutoField, BigIntegerField, BooleanField, Model

from gateway.store.columns import CleanTextField, JsonField, MomentField


class Project(Model):
    """A project: a folder, and the policy of the answers that work in it (see PolicySchema)."""

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


class ActivityRow(Model):
    """The use of a tool by an agent in a project. `owner` is who sent the request."""

    id = AutoField()
    project_id = CleanTextField()
    owner = CleanTextField()
    request_id = CleanTextField()
    call_id = CleanTextField()
    tool = CleanTextField()
    subagent = CleanTextField(null=True)
    status = CleanTextField()
    arguments = JsonField()
    result = CleanTextField(null=True)
    milliseconds = BigIntegerField(null=True)
    created_at = MomentField(index=True)

    class Meta:
        table_name = "agent_activity"
        indexes = ((("project_id", "owner", "id"), False), (("project_id", "call_id"), False))
