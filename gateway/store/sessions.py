"""Sessions: what is known of a conversation, and its messages where they are stored.

An `owner` of None is somebody who sees everything. What has expired is not found, whether it has been swept or not.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from peewee import fn

from gateway.errors import SessionNotFound
from gateway.store.clock import utc_now
from gateway.store.database import Store
from gateway.store.models import Session, SessionMessage
from gateway.store.statements import INSERT_SESSION, SESSION_FIELDS, execute

UNSTORED_IDLE = timedelta(minutes=30)  # where sessions do not expire: these hold nothing to keep


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session without its messages. `is_stored` says whether they are kept; the tokens are those of all answers."""

    id: str
    owner: str
    project_id: str | None
    title: str | None
    model: str | None
    system_prompt: str | None
    is_stored: bool
    created_at: datetime
    updated_at: datetime
    is_active: bool = True
    running_until: datetime | None = None
    total_tokens: int = 0
    total_cost: float = 0.0
    message_count: int = 0

    @property
    def is_running(self) -> bool:
        """Whether an answer is being written."""
        return self.running_until is not None and self.running_until > utc_now()


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message in the chat dialect's form, and its place in the order."""

    id: int
    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SessionExpiry:
    """Which sessions have been idle for too long. `idle` None: those that are stored never are."""

    idle: timedelta | None

    def is_current(self) -> Any:
        """The condition for those that are there."""
        known = (Session.updated_at >= self._limit()) | (Session.running_until > utc_now())
        return known if self.idle is not None else known | (Session.is_stored == True)  # noqa: E712  SQL

    def is_expired(self) -> Any:
        """The condition for those that may go. Not the opposite in SQL's logic, where unknown is neither."""
        resting = Session.running_until.is_null() | (Session.running_until <= utc_now())
        expired = (Session.updated_at < self._limit()) & resting
        return expired if self.idle is not None else expired & (Session.is_stored == False)  # noqa: E712  SQL

    def _limit(self) -> datetime:
        return utc_now() - (self.idle or UNSTORED_IDLE)


class Sessions:
    """All that is asked of sessions but for their turns. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store, expiry: SessionExpiry) -> None:
        self._store = store
        self._expiry = expiry

    def create(
        self,
        owner: str,
        *,
        project_id: str | None = None,
        title: str | None = None,
        model: str | None = None,
        system_prompt: str | None = None,
    ) -> SessionRecord:
        """A new session, stored and empty."""
        record = SessionRecord(
            new_session_id(),
            owner,
            project_id,
            title,
            model,
            system_prompt,
            True,
            moment := utc_now(),
            moment,
        )
        self._store.write(lambda db: insert_session(db, record))
        return record

    def get(self, session_id: str, owner: str | None) -> SessionRecord:
        """One session, by its id or the CLI's for it. Raises SessionNotFound."""
        return self._store.read(lambda db: find_session(db, session_id, owner, self._expiry))

    def list_messages(self, session_id: str) -> list[StoredMessage]:
        """A session's messages, the oldest first."""
        query = SessionMessage.select(SessionMessage.id, SessionMessage.content).where(
            SessionMessage.session == session_id
        )
        ordered = query.order_by(SessionMessage.id)
        return self._store.read(
            lambda db: [StoredMessage(row.id, row.content) for row in ordered.execute(db)]
        )

    def list_page(
        self, owner: str | None, project_id: str | None, page: int, per_page: int
    ) -> tuple[list[SessionRecord], int]:
        """A page of sessions, counted from 1, the newest first, and how many there are in all."""
        query = Session.select().where(self._seen_by(owner))
        if project_id is not None:
            query = query.where(Session.project_id == project_id)
        newest = query.order_by(Session.created_at.desc(), Session.id).paginate(page, per_page)

        def work(db: Any) -> tuple[list[SessionRecord], int]:
            return [_record(row) for row in newest.execute(db)], query.count(db)

        return self._store.read(work)

    def rename(self, session_id: str, owner: str | None, title: str) -> SessionRecord:
        """Give it another title. Raises SessionNotFound."""

        def work(db: Any) -> SessionRecord:
            record = find_session(db, session_id, owner, self._expiry)
            Session.update(title=title).where(Session.id == record.id).execute(db)
            return find_session(db, record.id, owner, self._expiry)

        return self._store.write(work)

    def delete(self, session_id: str, owner: str | None) -> SessionRecord:
        """Delete it with its messages; what it was. Raises SessionNotFound."""

        def work(db: Any) -> SessionRecord:
            record = find_session(db, session_id, owner, self._expiry)
            Session.delete().where(Session.id == record.id).execute(db)
            return record

        return self._store.write(work)

    def delete_project(self, project_id: str) -> Collection[str]:
        """Delete all sessions of a project; their ids."""

        def work(db: Any) -> Collection[str]:
            rows = Session.select(Session.id).where(Session.project_id == project_id).execute(db)
            ids = [row.id for row in rows]
            Session.delete().where(Session.project_id == project_id).execute(db)
            return ids

        return self._store.write(work)

    def compute_stats(self, owner: str | None) -> dict[str, Any]:
        """Sums: `sessions`, `tokens`, `cost` (USD), `messages`; lists: `models`, and `running`, ids of sessions."""
        seen = self._seen_by(owner)
        sums = Session.select(
            fn.COUNT(Session.id).alias("sessions"),
            fn.COALESCE(fn.SUM(Session.total_tokens), 0).alias("tokens"),
            fn.COALESCE(fn.SUM(Session.total_cost), 0.0).alias("cost"),
            fn.COALESCE(fn.SUM(Session.message_count), 0).alias("messages"),
        )
        models = Session.select(Session.model).distinct().order_by(Session.model)
        running = (
            Session.select(Session.id).where(Session.running_until > utc_now()).order_by(Session.created_at)
        )

        def work(db: Any) -> dict[str, Any]:
            named = models.where(seen, Session.model.is_null(False)).tuples().execute(db)
            ids = running.where(seen).tuples().execute(db)
            figures: dict[str, Any] = sums.where(seen).dicts().first(db)
            return {**figures, "models": [name for (name,) in named], "running": [one for (one,) in ids]}

        return self._store.read(work)

    def delete_expired(self) -> int:
        """Delete what has expired; how many. Several processes may do so at once."""
        return self._store.delete_in_batches(Session, self._expiry.is_expired)

    def _seen_by(self, owner: str | None) -> Any:
        living = self._expiry.is_current()
        return living if owner is None else living & (Session.owner == owner)


def new_session_id() -> str:
    """An id for a new session."""
    return f"sess_{secrets.token_hex(16)}"


def find_session(db: Any, session_id: str, owner: str | None, expiry: SessionExpiry) -> SessionRecord:
    """As `Sessions.get`, in a transaction."""
    is_it = (Session.id == session_id) | (Session.claude_session_id == session_id)
    query = Session.select().where(is_it, expiry.is_current())
    if owner is not None:
        query = query.where(Session.owner == owner)
    row = query.order_by(Session.updated_at.desc()).first(db)  # one process may have served several
    if row is None:
        raise SessionNotFound("There is no such session, or it has expired.", param="session_id")
    return _record(row)


def insert_session(db: Any, record: SessionRecord, **values: Any) -> None:
    """Add a session in a transaction; `values` are of further columns."""
    given = {name: getattr(record, name) for name in SessionRecord.__dataclass_fields__} | values
    execute(
        db,
        INSERT_SESSION,
        *(field.db_value(given.get(name, field.default)) for name, field in SESSION_FIELDS.items()),
    )


def _record(row: Any) -> SessionRecord:
    return SessionRecord(**{name: getattr(row, name) for name in SessionRecord.__dataclass_fields__})
