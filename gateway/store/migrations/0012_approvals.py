"""Add the requests for approvals. The columns are written out because a migration must never change."""

from typing import Any

from peewee import DoubleField, TextField


def up(migrator: Any, db: Any) -> None:
    """Create the table."""

    class ApprovalRow(db.Model):  # type: ignore[misc]
        call_id = TextField()
        owner = TextField()
        project = TextField(default="")
        kind = TextField()
        server = TextField()
        name = TextField()
        arguments = TextField()
        created_at = DoubleField()
        expires_at = DoubleField(index=True)
        decision = TextField(null=True)

        class Meta:
            table_name = "approvals"
            indexes = ((("owner", "call_id"), False), (("project", "created_at"), False))

    db.create_tables([ApprovalRow], safe=False)
