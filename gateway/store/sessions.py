"""Sessions: conversations, their messages if these are stored, and claims on them.

An `owner` of None stands for all owners. Expired sessions are treated as missing, also before they are deleted.

Only one turn runs in a session at a time, in any worker. Its claim is a lease, which the turn's worker renews. If the
worker is killed, the claim expires. Every change is made under the turn's own id, so a turn that has lost its session
to another turn cannot write into it.
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from peewee import fn

from gateway.errors import SessionBusy, SessionNotFound, TurnStopped
from gateway.store.database import Store, utc_now
from gateway.store.lease_keeper import LEASE_SECONDS
from gateway.store.models import Session, SessionMessage
from gateway.store.statements import FINISH_TURN, fetch_rows, insert_rows
from gateway.store.stored_items import is_large

UNSTORED_IDLE = timedelta(minutes=30)  # sessions without messages expire, even if the others never do


PREFIX = "sess_"


def new_session_id() -> str:
    """Return an id for a new session."""
    return f"{PREFIX}{secrets.token_hex(16)}"


def is_own_id(session_id: str) -> bool:
    """Return False for an id that a client has made up. Its session cannot be lost, because there never was one."""
    return session_id.startswith(PREFIX)


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session without its messages; by default, a new one. The sums are over all answers.

    `is_stored` says whether the messages are stored.
    """

    owner: str
    project_id: str | None = None
    title: str | None = None
    model: str | None = None
    system_prompt: str | None = None
    is_stored: bool = True
    id: str = field(default_factory=new_session_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)
    is_active: bool = True
    running_until: datetime | None = None
    total_tokens: int = 0
    total_cost: float = 0.0
    message_count: int = 0

    @property
    def is_running(self) -> bool:
        """Return True if an answer is being written."""
        return self.running_until is not None and self.running_until > utc_now()


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message in the chat dialect. The ids are in the order of the conversation."""

    id: int
    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TurnResult:
    """The result of a turn, as it is stored.

    `messages` replace all stored messages after the one with the id `keep_until` (0: all). The last of them is the
    answer, and `about` is its metadata. Without messages, the stored ones stay as they are. Tokens and `cost` (USD) are
    added to the session's sums.
    """

    model: str | None = None
    claude_session_id: str | None = None
    message_count: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    messages: Sequence[dict[str, Any]] = ()
    keep_until: int = 0
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class SessionExpiry:
    """The idle time after which sessions expire. With None, sessions with stored messages never expire.

    All tables that need it share one object, whose `idle` may change.
    """

    idle: timedelta | None

    def where_current(self) -> Any:
        """Return the SQL condition for sessions that have not expired."""
        is_current = (Session.updated_at >= self._limit()) | (Session.running_until > utc_now())
        return is_current if self.idle is not None else is_current | (Session.is_stored == True)  # noqa: E712  SQL

    def where_expired(self) -> Any:
        """Return the SQL condition for expired sessions.

        It is not the negation of `where_current`: with a NULL, neither condition is true.
        """
        is_resting = Session.running_until.is_null() | (Session.running_until <= utc_now())
        is_idle = (Session.updated_at < self._limit()) & is_resting
        return is_idle if self.idle is not None else is_idle & (Session.is_stored == False)  # noqa: E712  SQL

    def _limit(self) -> datetime:
        return utc_now() - (self.idle or UNSTORED_IDLE)


class Sessions:
    """The tables of sessions and messages. Every method raises StoreError when the database fails.

    SessionClaims has the turns that run in sessions.
    """

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
        """Create an empty session whose messages are stored."""
        record = SessionRecord(owner, project_id, title, model, system_prompt)
        self._store.write(lambda db: insert_session(db, record))
        return record

    def get(self, session_id: str, owner: str | None) -> SessionRecord:
        """Return one session, by its own id or the CLI's session id. Raise SessionNotFound."""
        return self._store.read(lambda db: find_session(db, session_id, owner, self._expiry))

    def list_messages(self, session_id: str) -> list[StoredMessage]:
        """Return a session's messages, the oldest first."""
        columns = (SessionMessage.id, SessionMessage.content)
        query = SessionMessage.select(*columns).where(SessionMessage.session == session_id)
        query = query.order_by(SessionMessage.id)
        return self._store.read(lambda db: [StoredMessage(row.id, row.content) for row in query.execute(db)])

    def list_page(
        self, owner: str | None, project_id: str | None, page: int, per_page: int
    ) -> tuple[list[SessionRecord], int]:
        """Return a page of sessions, the newest first, and the total number. Pages count from 1."""
        query = Session.select().where(self._where_visible(owner))
        if project_id is not None:
            query = query.where(Session.project_id == project_id)
        newest = query.order_by(Session.created_at.desc(), Session.id).paginate(page, per_page)

        def work(db: Any) -> tuple[list[SessionRecord], int]:
            return [_record(row) for row in newest.execute(db)], query.count(db)

        return self._store.read(work)

    def rename(self, session_id: str, owner: str | None, title: str) -> SessionRecord:
        """Change a session's title. Raise SessionNotFound."""

        def work(db: Any) -> SessionRecord:
            record = find_session(db, session_id, owner, self._expiry)
            Session.update(title=title).where(Session.id == record.id).execute(db)
            return find_session(db, record.id, owner, self._expiry)

        return self._store.write(work)

    def delete(self, session_id: str, owner: str | None) -> SessionRecord:
        """Delete a session with its messages, and return what it was. Raise SessionNotFound."""

        def work(db: Any) -> SessionRecord:
            record = find_session(db, session_id, owner, self._expiry)
            Session.delete().where(Session.id == record.id).execute(db)
            return record

        return self._store.write(work)

    def delete_project(self, project_id: str) -> Collection[str]:
        """Delete all sessions of a project, and return their ids."""

        def work(db: Any) -> Collection[str]:
            rows = Session.select(Session.id).where(Session.project_id == project_id).execute(db)
            ids = [row.id for row in rows]
            Session.delete().where(Session.project_id == project_id).execute(db)
            return ids

        return self._store.write(work)

    def compute_stats(self, owner: str | None) -> dict[str, Any]:
        """Return sums and lists over all sessions of an owner.

        The sums are `sessions`, `tokens`, `cost` (USD) and `messages`. `models` is a list of names, `running` a list of
        session ids.
        """
        visible = self._where_visible(owner)
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
            named = models.where(visible, Session.model.is_null(False)).tuples().execute(db)
            ids = running.where(visible).tuples().execute(db)
            figures: dict[str, Any] = sums.where(visible).dicts().first(db)
            return {**figures, "models": [row[0] for row in named], "running": [row[0] for row in ids]}

        return self._store.read(work)

    def delete_expired(self) -> int:
        """Delete expired sessions and return their number. Several processes may do so at once."""
        return self._store.delete_in_batches(Session, self._expiry.where_expired)

    def _where_visible(self, owner: str | None) -> Any:
        current = self._expiry.where_current()
        return current if owner is None else current & (Session.owner == owner)


def find_session(db: Any, session_id: str, owner: str | None, expiry: SessionExpiry) -> SessionRecord:
    """Return one session, as `Sessions.get` does, within a transaction. Raise SessionNotFound."""
    matches = (Session.id == session_id) | (Session.claude_session_id == session_id)
    query = Session.select().where(matches, expiry.where_current())
    if owner is not None:
        query = query.where(Session.owner == owner)
    # One CLI process may have served several sessions.
    row = query.order_by(Session.updated_at.desc()).first(db)
    if row is None:
        raise SessionNotFound("The session does not exist or has expired.", param="session_id")
    return _record(row)


def insert_session(db: Any, record: SessionRecord, **values: Any) -> None:
    """Insert a session within a transaction. `values` are the values of further columns."""
    given = {name: getattr(record, name) for name in SessionRecord.__dataclass_fields__} | values
    insert_rows(db, Session, [given])


def _record(row: Any) -> SessionRecord:
    return SessionRecord(**{name: getattr(row, name) for name in SessionRecord.__dataclass_fields__})


class SessionClaims:
    """The claims of all workers. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store, expiry: SessionExpiry, lease_seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._expiry = expiry
        self._lease = timedelta(seconds=lease_seconds)

    def open(self, record: SessionRecord, turn: str) -> None:
        """Add a new session in which `turn` already runs."""
        claim = {"running_turn": turn, "running_until": utc_now() + self._lease}
        self._store.write_single(lambda db: insert_session(db, record, **claim))

    def claim(self, session_id: str, owner: str | None, turn: str) -> SessionRecord:
        """Claim a session for `turn`. Raise SessionNotFound, or SessionBusy if another turn runs in it."""

        def work(db: Any) -> SessionRecord:
            record = find_session(db, session_id, owner, self._expiry)
            moment = utc_now()
            is_free = Session.running_until.is_null() | (Session.running_until <= moment)
            change = {
                "running_turn": turn,
                "running_until": moment + self._lease,
                "updated_at": moment,
                "stop_requested": False,
            }
            if not Session.update(**change).where(Session.id == record.id, is_free).execute(db):
                raise SessionBusy(retry_after=1)
            return record

        return self._store.write(work)

    def renew_leases(self, turns: Collection[str]) -> None:
        """Extend the leases of these turns by the full time."""
        running = Session.running_turn.in_(list(turns))
        change = Session.update(running_until=utc_now() + self._lease).where(running)
        self._store.write(lambda db: change.execute(db))

    def find_active(self, turns: Collection[str]) -> set[str]:
        """Return the turns that still have their session and were not asked to stop."""
        wanted = Session.running_turn.in_(list(turns)) & (Session.stop_requested == False)  # noqa: E712  SQL
        query = Session.select(Session.running_turn).where(wanted)
        return self._store.read(lambda db: {row.running_turn for row in query.execute(db)})

    def request_stop(self, session_id: str) -> None:
        """Ask the worker that runs a turn of the session to stop the turn."""
        change = Session.update(stop_requested=True).where(Session.id == session_id)
        self._store.write(lambda db: change.execute(db))

    def finish(self, turn: str, outcome: TurnResult) -> None:
        """End a turn, store its result and free the session.

        Raise TurnStopped if the session was deleted, or was claimed by another turn.
        """
        values = _values(turn, outcome)

        def work(db: Any) -> None:
            found = fetch_rows(db, FINISH_TURN, *values)
            if not found:
                raise TurnStopped("The session was deleted during the answer.", should_retry=False)
            if outcome.messages:
                _replace_messages(db, found[0][0], outcome)

        if outcome.messages:
            (self._store.write_large if is_large(outcome.messages) else self._store.write)(work)
        else:
            self._store.write_single(work)


def _values(turn: str, outcome: TurnResult) -> list[Any]:
    """Return the values of FINISH_TURN."""
    model = Session.model.db_value(outcome.model)
    claude = Session.claude_session_id.db_value(outcome.claude_session_id)
    sums = [outcome.input_tokens + outcome.output_tokens, outcome.cost]
    return [False, Session.updated_at.db_value(utc_now()), model, claude, outcome.message_count, *sums, turn]


def _replace_messages(db: Any, session_id: str, outcome: TurnResult) -> None:
    replaced = (SessionMessage.session == session_id) & (SessionMessage.id > outcome.keep_until)
    SessionMessage.delete().where(replaced).execute(db)
    figures = {
        "metadata": outcome.about,
        "input_tokens": outcome.input_tokens,
        "output_tokens": outcome.output_tokens,
        "cost": outcome.cost,
    }
    rows = [_message_row(session_id, message) for message in outcome.messages]
    rows[-1] |= figures
    insert_rows(db, SessionMessage, rows)


def _message_row(session_id: str, message: dict[str, Any]) -> dict[str, Any]:
    return {"session": session_id, "role": message["role"], "content": message, "created_at": utc_now()}
