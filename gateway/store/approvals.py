"""The requests for approvals that clients have been sent, so that only those can be answered.

For example:

    approvals.add("key_1", "proj_1", ApprovalRequest("toolu_01", "Bash", {"command": "make"}))
    asked = approvals.find("key_1", "toolu_01")
    approvals.record_decision("key_1", "toolu_01", approved=True)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.store.database import Store, utc_now
from gateway.store.models import ApprovalRow
from gateway.store.statements import insert_rows

# Requests are remembered for a while after their time, so that a late decision counts as no instead of as unknown.
REMEMBERED = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class AskedApproval:
    """A request that a client was sent. `has_expired` says that a decision would come too late."""

    call_id: str
    project: str
    kind: str
    server: str
    name: str
    arguments: Mapping[str, Any]
    created_at: datetime
    expires_at: datetime
    decision: str | None

    @property
    def has_expired(self) -> bool:
        """Return True if the time for a decision is over."""
        return self.expires_at <= utc_now()


class Approvals:
    """The table of requests for approvals. Every method raises StoreError when the database fails.

    `wait` is the time for a decision. Requests of another owner are treated as missing.
    """

    def __init__(self, store: Store, wait: timedelta) -> None:
        self._store = store
        self.wait = wait

    def add(
        self,
        owner: str,
        project: str,
        *,
        call_id: str,
        kind: str,
        server: str,
        name: str,
        arguments: Mapping[str, Any],
    ) -> None:
        """Store a request that a client is about to get."""
        now = utc_now()
        row = {
            "call_id": call_id,
            "owner": owner,
            "project": project,
            "kind": kind,
            "server": server,
            "name": name,
            "arguments": dict(arguments),
            "created_at": now,
            "expires_at": now + self.wait,
        }
        self._store.write(lambda db: insert_rows(db, ApprovalRow, [row]))

    def find(self, owner: str, call_id: str) -> AskedApproval | None:
        """Return the newest request about a call; None if this owner was never asked."""
        query = (
            ApprovalRow.select()
            .where(ApprovalRow.owner == owner, ApprovalRow.call_id == call_id)
            .order_by(ApprovalRow.id.desc())
        )
        row = self._store.read(query.first)
        return _asked(row) if row is not None else None

    def record_decision(self, owner: str, call_id: str, *, approved: bool) -> None:
        """Note the decision about a call."""
        query = ApprovalRow.update(decision="approved" if approved else "denied").where(
            ApprovalRow.owner == owner, ApprovalRow.call_id == call_id
        )
        self._store.write(query.execute)

    def delete_expired(self) -> int:
        """Delete the requests whose time is long over, and return their number."""
        query = ApprovalRow.delete().where(ApprovalRow.expires_at <= utc_now() - REMEMBERED)
        deleted: int = self._store.write(query.execute)
        return deleted


def _asked(row: Any) -> AskedApproval:
    return AskedApproval(**{name: getattr(row, name) for name in AskedApproval.__dataclass_fields__})
