"""Add the counters of the limits, and leases for running answers."""

from typing import Any

from peewee import BigIntegerField, DoubleField, TextField


def up(migrator: Any, db: Any) -> None:
    """Create the tables."""

    class LimitCounter(db.Model):  # type: ignore[misc]
        key = TextField(primary_key=True)
        count = BigIntegerField()
        expires_at = DoubleField(index=True)

        class Meta:
            table_name = "limit_counters"

    class LimitLease(db.Model):  # type: ignore[misc]
        id = TextField(primary_key=True)
        who = TextField()
        slot = BigIntegerField()
        expires_at = DoubleField()

        class Meta:
            table_name = "limit_leases"
            indexes = ((("who", "slot"), True),)

    db.create_tables([LimitCounter, LimitLease], safe=False)
