"""Add the records of what agents did. The columns are written out: a migration must never change."""

from typing import Any

from peewee import BigIntegerField, DoubleField, TextField


def up(migrator: Any, db: Any) -> None:
    """Create the table."""

    class Activity(db.Model):  # type: ignore[misc]
        project_id = TextField()
        owner = TextField()
        request_id = TextField()
        call_id = TextField()
        tool = TextField()
        subagent = TextField(null=True)
        status = TextField()
        arguments = TextField()
        result = TextField(null=True)
        milliseconds = BigIntegerField(null=True)
        created_at = DoubleField(index=True)

        class Meta:
            table_name = "agent_activity"
            indexes = ((("project_id", "owner", "id"), False), (("project_id", "call_id"), False))

    db.create_tables([Activity], safe=False)
