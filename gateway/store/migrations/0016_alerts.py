"""Add alerts and their deliveries. The tables are written out: a migration must never change."""

from typing import Any

from peewee import AutoField, BigIntegerField, DoubleField, ForeignKeyField, TextField


def up(migrator: Any, db: Any) -> None:
    """Create the tables."""

    class AlertRow(db.Model):  # type: ignore[misc]
        id = TextField(primary_key=True)
        key = TextField(unique=True)
        kind = TextField()
        title = TextField()
        text = TextField()
        data = TextField()
        state = TextField()
        created_at = DoubleField(index=True)
        resolved_at = DoubleField(null=True)

        class Meta:
            table_name = "alerts"

    class AlertDelivery(db.Model):  # type: ignore[misc]
        id = AutoField()
        alert = ForeignKeyField(AlertRow, on_delete="CASCADE", index=False)
        channel = TextField()
        state = TextField()
        attempts = BigIntegerField()
        due_at = DoubleField()
        lease_id = TextField(null=True)
        error = TextField(null=True)
        sent_at = DoubleField(null=True)

        class Meta:
            table_name = "alert_deliveries"
            indexes = ((("alert", "channel"), True), (("state", "due_at"), False))

    db.create_tables([AlertRow, AlertDelivery], safe=False)
