"""The audit log: who changed what by administrative rights, and when. It never has secrets.

A change and its entry are written in one transaction, so that neither exists without the other. For example:

    note_change(db, Actor("alice", "key_1"), "key.revoke", "key_2", {"is_active": True}, {"is_active": False})
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from gateway.store.admin_models import AuditRow
from gateway.store.database import Store, utc_now


@dataclass(frozen=True, slots=True)
class Actor:
    """The author of a change: a key by its name and id, or the command line."""

    name: str
    id: str | None = None
    address: str = ""
    request_id: str = ""


COMMAND_LINE = Actor("command line")


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A change. `before` and `after` have the changed fields; None for what did not exist."""

    id: int
    created_at: datetime
    actor_id: str | None
    actor_name: str
    address: str
    request_id: str
    action: str
    target_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """The entries to list; by default, the latest of all. `before_id` continues a list behind that entry."""

    limit: int = 50
    before_id: int | None = None
    action: str | None = None
    target_id: str | None = None
    actor_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A page of entries, the newest first, and whether there are older ones."""

    entries: list[AuditEntry] = field(default_factory=list)
    has_more: bool = False


class AuditLog:
    """The table of changes. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list_page(self, query: AuditQuery) -> AuditPage:
        """Return the entries that match, the newest first. An action "key" stands for all actions on keys."""
        rows = self._store.read(lambda db: list(_select(query).execute(db)))
        return AuditPage([_entry(row) for row in rows[: query.limit]], len(rows) > query.limit)

    def add(
        self,
        by: Actor,
        action: str,
        target_id: str,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an entry about a change outside of the database, or one that has no transaction of its own."""
        self._store.write(lambda db: note_change(db, by, action, target_id, before, after))


def note_change(
    db: Any,
    by: Actor,
    action: str,
    target_id: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    """Add an entry within the transaction of the change."""
    AuditRow.insert(
        created_at=utc_now(),
        actor_id=by.id,
        actor_name=by.name,
        address=by.address,
        request_id=by.request_id,
        action=action,
        target_id=target_id,
        before=_plain(before),
        after=_plain(after),
    ).execute(db)


def changed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of each that differ.

    >>> changed_fields({"a": 1, "b": 2}, {"a": 1, "b": 3})
    ({'b': 2}, {'b': 3})
    """
    names = [name for name in new if old.get(name) != new[name]]
    return {name: old.get(name) for name in names}, {name: new[name] for name in names}


def _select(query: AuditQuery) -> Any:
    conditions = [
        (query.before_id, AuditRow.id < query.before_id),
        (query.target_id, AuditRow.target_id == query.target_id),
        (query.actor_id, AuditRow.actor_id == query.actor_id),
        (query.since, AuditRow.created_at >= query.since),
        (query.until, AuditRow.created_at < query.until),
    ]
    found = AuditRow.select().order_by(AuditRow.id.desc()).limit(query.limit + 1)
    for given, condition in conditions:
        if given is not None:
            found = found.where(condition)
    if query.action is not None:
        is_named = (AuditRow.action == query.action) | AuditRow.action.startswith(f"{query.action}.")
        found = found.where(is_named)
    return found


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(**{name: getattr(row, name) for name in AuditEntry.__dataclass_fields__})


def _plain(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return values as JSON has them."""
    if values is None:
        return None
    return {name: str(value) if isinstance(value, date) else value for name, value in values.items()}
