"""The current tables of alerts. See `models`."""

from peewee import AutoField, BigIntegerField, ForeignKeyField, Model

from gateway.store.columns import CleanTextField, JsonField, MomentField


class AlertRow(Model):
    """An alert. `key` names its event; it is unique, and it changes when an event that lasts is over."""

    id = CleanTextField(primary_key=True)
    key = CleanTextField(unique=True)
    kind = CleanTextField()
    title = CleanTextField()
    text = CleanTextField()
    data = JsonField(default=dict)
    state = CleanTextField(default="open")
    created_at = MomentField(index=True)
    resolved_at = MomentField(null=True)

    class Meta:
        table_name = "alerts"


class AlertDelivery(Model):
    """The delivery of an alert over one channel: `state` is "pending", "sent" or "failed".

    A worker that makes an attempt writes its `lease_id` and moves `due_at` to the end of its lease.
    """

    id = AutoField()
    alert = ForeignKeyField(AlertRow, on_delete="CASCADE", index=False)
    channel = CleanTextField()
    state = CleanTextField(default="pending")
    attempts = BigIntegerField(default=0)
    due_at = MomentField()
    lease_id = CleanTextField(null=True)
    error = CleanTextField(null=True)
    sent_at = MomentField(null=True)

    class Meta:
        table_name = "alert_deliveries"
        indexes = ((("alert", "channel"), True), (("state", "due_at"), False))
