"""The log of alerts, which also keeps several workers from sending the same alert twice.

For example:

    alerts.open(Alert("login", "login/host1", "Not logged in", "Run …"), ["slack"])  # True, and False the next time
    for delivery in alerts.take_due():
        alerts.record_sent(delivery)
    alerts.resolve("login/host1", ["slack"])  # the next failure is another alert
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gateway.alerts.alert import Alert, Notice
from gateway.store.alert_models import AlertDelivery, AlertRow
from gateway.store.database import Store, utc_now
from gateway.store.statements import insert_rows

LEASE = timedelta(seconds=60)  # an attempt takes less; if its worker dies, another one makes the next attempt
MAX_DUE = 20


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery whose next attempt this worker makes. `attempts` includes it."""

    id: int
    lease_id: str
    channel: str
    attempts: int
    notice: Notice


class Alerts:
    """The tables of alerts and deliveries. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store, ttl: timedelta) -> None:
        self._store = store
        self.ttl = ttl

    def open(self, alert: Alert, channels: Collection[str]) -> bool:
        """Add an alert, with a delivery for each channel. Return False if it was added before, by any worker."""
        row = {
            "id": f"alert_{secrets.token_hex(8)}",
            "key": alert.key,
            "kind": alert.kind,
            "title": alert.title,
            "text": alert.text,
            "data": dict(alert.data),
            "created_at": utc_now(),
        }

        def work(db: Any) -> bool:
            if AlertRow.select().where(AlertRow.key == alert.key).first(db) is not None:
                return False
            _add(db, row, channels)
            return True

        return self._store.write(work)  # it holds the write lock, so no other worker adds the row in between

    def resolve(self, key: str, channels: Collection[str]) -> bool:
        """End the open alert about an event that lasts, and add the notice of its end. Return False without one."""
        now = utc_now()

        def work(db: Any) -> bool:
            found = AlertRow.select().where(AlertRow.key == key, AlertRow.state == "open").first(db)
            if found is None:
                return False
            change = {"key": f"{key}#{found.id}", "state": "resolved", "resolved_at": now}
            AlertRow.update(**change).where(AlertRow.id == found.id).execute(db)
            row = {name: getattr(found, name) for name in ("kind", "data")} | {
                "id": f"alert_{secrets.token_hex(8)}",
                "key": f"{key}#{found.id}/resolved",
                "title": f"Resolved: {found.title}",
                "text": f"This is over: {found.text}",
                "state": "resolved",
                "created_at": now,
                "resolved_at": now,
            }
            _add(db, row, channels)
            return True

        return self._store.write(work)

    def take_due(self, key: str | None = None) -> list[Delivery]:
        """Return deliveries whose next attempt is due, and lease them to the caller. `key` names one alert.

        Tests of the channels are taken only by their key.
        """
        lease_id, now = secrets.token_hex(8), utc_now()
        wanted = AlertRow.kind != "test" if key is None else AlertRow.key == key
        due = (
            AlertDelivery.select(AlertDelivery.id)
            .join(AlertRow)
            .where(wanted, AlertDelivery.state == "pending", AlertDelivery.due_at <= now)
        )
        if self._store.read(due.first) is None:
            return []
        change = AlertDelivery.update(
            due_at=now + LEASE, lease_id=lease_id, attempts=AlertDelivery.attempts + 1
        ).where(AlertDelivery.id.in_(due.order_by(AlertDelivery.id).limit(MAX_DUE)))
        mine = (
            AlertDelivery.select(AlertDelivery, AlertRow)
            .join(AlertRow)
            .where(AlertDelivery.lease_id == lease_id)
            .order_by(AlertDelivery.id)
        )

        def work(db: Any) -> list[Delivery]:
            change.execute(db)
            return [_delivery(row) for row in mine.execute(db)]

        return self._store.write(work)

    def record_sent(self, delivery: Delivery) -> None:
        """Record that a delivery has arrived."""
        self._change(delivery, {"state": "sent", "sent_at": utc_now(), "error": None})

    def record_failure(self, delivery: Delivery, error: str, retry_in: float | None) -> None:
        """Record a failed attempt. The next one is due in `retry_in` seconds; None gives the delivery up."""
        state = (
            {"state": "failed"} if retry_in is None else {"due_at": utc_now() + timedelta(seconds=retry_in)}
        )
        self._change(delivery, {"error": error, **state})

    def list_page(self, page: int, per_page: int) -> tuple[list[dict[str, Any]], int]:
        """Return a page of alerts with their deliveries, the newest first, and the number of all alerts."""
        newest = AlertRow.select().order_by(AlertRow.created_at.desc(), AlertRow.id).paginate(page, per_page)

        def work(db: Any) -> tuple[list[dict[str, Any]], int]:
            rows = list(newest.dicts().execute(db))
            ids = [row["id"] for row in rows]
            found = AlertDelivery.select().where(AlertDelivery.alert.in_(ids)).order_by(AlertDelivery.id)
            deliveries = list(found.dicts().execute(db))
            return [_with_deliveries(row, deliveries) for row in rows], AlertRow.select().count(db)

        return self._store.read(work)

    def delete_expired(self) -> int:
        """Delete old alerts, and return their number."""
        oldest = utc_now() - self.ttl
        return self._store.delete_in_batches(AlertRow, lambda: AlertRow.created_at < oldest)

    def _change(self, delivery: Delivery, values: dict[str, Any]) -> None:
        query = AlertDelivery.update(**values).where(
            AlertDelivery.id == delivery.id, AlertDelivery.lease_id == delivery.lease_id
        )
        self._store.write(query.execute)


def _add(db: Any, row: dict[str, Any], channels: Collection[str]) -> None:
    insert_rows(db, AlertRow, [row])
    deliveries = [
        {"alert": row["id"], "channel": channel, "due_at": row["created_at"]} for channel in channels
    ]
    insert_rows(db, AlertDelivery, deliveries)


def _delivery(row: Any) -> Delivery:
    found = row.alert
    notice = Notice(
        found.id, found.kind, found.title, found.text, found.data, found.state, found.created_at.timestamp()
    )
    return Delivery(row.id, row.lease_id, row.channel, row.attempts, notice)


def _with_deliveries(row: dict[str, Any], deliveries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    names = ("channel", "state", "attempts", "error", "sent_at")
    own = [{name: one[name] for name in names} for one in deliveries if one["alert"] == row["id"]]
    return {**row, "deliveries": own}
