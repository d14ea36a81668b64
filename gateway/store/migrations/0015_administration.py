"""Add teams, notes of keys, the audit log and the settings of the run time. It is written out: it must never change."""

from typing import Any

from peewee import SQL, AutoField, BooleanField, DoubleField, Node, TextField


def up(migrator: Any, db: Any) -> None:
    """Add the columns and create the tables. The Boolean has a default, because old workers may still add keys."""
    false: list[Node] = [SQL("DEFAULT FALSE")]

    class Team(db.Model):  # type: ignore[misc]
        id = TextField(primary_key=True)
        name = TextField()
        limits = TextField()
        notes = TextField()
        created_at = DoubleField()

        class Meta:
            table_name = "teams"

    class AuditRow(db.Model):  # type: ignore[misc]
        id = AutoField()
        created_at = DoubleField(index=True)
        actor_id = TextField(null=True)
        actor_name = TextField()
        address = TextField()
        request_id = TextField()
        action = TextField()
        target_id = TextField()
        before = TextField(null=True)
        after = TextField(null=True)

        class Meta:
            table_name = "audit_log"
            indexes = ((("target_id", "id"), False),)

    class RuntimeSetting(db.Model):  # type: ignore[misc]
        name = TextField(primary_key=True)
        value = TextField()
        changed_at = DoubleField()
        changed_by = TextField()

        class Meta:
            table_name = "runtime_settings"

    db.create_tables([Team, AuditRow, RuntimeSetting], safe=False)
    migrator.migrate(
        migrator.add_column("api_keys", "notes", TextField(null=True)),
        migrator.add_column("api_keys", "team_id", TextField(null=True)),
        migrator.add_column("api_keys", "keeps_bodies", BooleanField(default=False, constraints=false)),
    )
