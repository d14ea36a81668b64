"""Add conversations and their items. The columns are written out because a migration must never change."""

from typing import Any

from peewee import DoubleField, ForeignKeyField, TextField


def up(migrator: Any, db: Any) -> None:
    """Create the tables."""

    class ConversationRow(db.Model):  # type: ignore[misc]
        id = TextField(primary_key=True)
        owner = TextField(index=True)
        body = TextField()
        created_at = DoubleField()
        expires_at = DoubleField(index=True)
        holder = TextField(null=True, index=True)
        leased_until = DoubleField(null=True)

        class Meta:
            table_name = "conversations"

    class ConversationItem(db.Model):  # type: ignore[misc]
        conversation = ForeignKeyField(ConversationRow, on_delete="CASCADE", index=False)
        owner = TextField()
        item_id = TextField()
        item = TextField()

        class Meta:
            table_name = "conversation_items"
            indexes = (
                (("conversation", "id"), False),
                (("conversation", "item_id"), True),
                (("owner", "item_id"), False),
            )

    db.create_tables([ConversationRow, ConversationItem], safe=False)
