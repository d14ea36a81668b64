"""Add the reservations of running answers. It is written out: a migration must never change."""

from typing import Any

from peewee import BigIntegerField, DoubleField, TextField


def up(migrator: Any, db: Any) -> None:
    """Create the table."""

    class LimitReservation(db.Model):  # type: ignore[misc]
        id = TextField(primary_key=True)
        who = TextField(index=True)
        tokens = BigIntegerField()
        usd = BigIntegerField()
        expires_at = DoubleField()

        class Meta:
            table_name = "limit_reservations"

    db.create_tables([LimitReservation], safe=False)
