"""The tables as they are now; how they came to be is in migrations/.

No model is bound to a database: queries are given theirs when they run (`query.execute(db)`), so that several stores
can live in one process.
"""

from __future__ import annotations

from peewee import BooleanField, DoubleField, IntegerField, Model, TextField

from gateway.store.fields import JsonField, MomentField


class ApiKey(Model):
    """A client's key. The key itself is nowhere, only its SHA-256; `prefix` is what people know it by."""

    id = TextField(primary_key=True)
    key_hash = TextField(unique=True)
    prefix = TextField()
    name = TextField()
    is_admin = BooleanField(default=False)
    is_active = BooleanField(default=True)
    created_at = MomentField()
    expires_at = MomentField(null=True)
    last_used_at = MomentField(null=True)
    allowed_models = JsonField(null=True)
    allowed_projects = JsonField(null=True)
    limits = JsonField(default=dict)
    total_requests = IntegerField(default=0)
    total_tokens = IntegerField(default=0)
    total_cost = DoubleField(default=0.0)

    class Meta:
        table_name = "api_keys"
