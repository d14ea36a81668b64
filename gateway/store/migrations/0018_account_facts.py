"""Add the accounts of keys and answers, and the facts about accounts. It is written out: it must never change."""

from typing import Any

from peewee import CompositeKey, DoubleField, TextField


def up(migrator: Any, db: Any) -> None:
    """Create the table, and add the columns."""

    class AccountFact(db.Model):  # type: ignore[misc]
        account = TextField()
        name = TextField()
        value = TextField(null=True)
        heard_at = DoubleField()

        class Meta:
            table_name = "account_facts"
            primary_key = CompositeKey("account", "name")

    db.create_tables([AccountFact], safe=False)
    migrator.migrate(
        migrator.add_column("api_keys", "accounts", TextField(null=True)),
        migrator.add_column("usage", "account", TextField(null=True)),
    )
