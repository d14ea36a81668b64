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

from peewee import AutoField, Model

from gateway.store.columns import CleanTextField, JsonField, MomentField
from gateway.store.database import Store, utc_now

# Requests are remembered for a while after their time, so that a late decision counts as no instead of as unknown.
REMEMBERED = timedelta(days=7)


class ApprovalRow(Model):
    """A request for the approval of a tool call. `decision` is the newest one, "approved" or "denied"."""

    id = AutoField()
    call_id = CleanTextField()
    owner = CleanTextField()
    project = CleanTextField(default="")
    kind = CleanTextField()
    server = CleanTextField()
    name = CleanTextField()
    arguments = JsonField()
    created_at = MomentField()
    expires_at = MomentField(index=True)
    decision = CleanTextField(null=True)

    class Meta:
        table_name = "approvals"
        indexes = ((("owner", "call_id"), False), (("project", "created_at"), False))


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
        self._wait = wait

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
        query = ApprovalRow.insert(
            call_id=call_id,
            owner=owner,
            project=project,
            kind=kind,
            server=server,
            name=name,
            arguments=dict(arguments),
            created_at=now,
            expires_at=now + self._wait,
        )
        self._store.write(query.execute)

    def find(self, owner: str, call_id: str) -> AskedApproval | None:
        """Return the newest request about a call; None if this owner was never asked."""
        query = (
            ApprovalRow.select()
            .where(ApprovalRow.owner == owner, ApprovalRow.call_id == call_id)
            .order_by(ApprovalRow.id.desc())
        )
        row = self._store.read(query.first)
        return _asked(row) if row is not None else None

    def list_open(self, project: str) -> list[AskedApproval]:
        """Return the requests of a project that wait for a decision, the oldest first."""
        query = (
            ApprovalRow.select()
            .where(
                ApprovalRow.project == project,
                ApprovalRow.decision.is_null(),
                ApprovalRow.expires_at > utc_now(),
            )
            .order_by(ApprovalRow.id)
        )
        return [_asked(row) for row in self._store.read(lambda db: list(query.execute(db)))]

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
    return AskedApproval(
        call_id=row.call_id,
        project=row.project,
        kind=row.kind,
        server=row.server,
        name=row.name,
        arguments=row.arguments,
        created_at=row.created_at,
        expires_at=row.expires_at,
        decision=row.decision,
    )
