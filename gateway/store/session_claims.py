"""Claims on sessions: only one turn runs in a session at a time, in any worker.

A claim is a lease, which the turn's worker renews. If the worker is killed, the claim expires. Every change is made
under the turn's own id, so a turn that has lost its session to another turn cannot write into it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from gateway.errors import SessionBusy, TurnStopped
from gateway.store.clock import utc_now
from gateway.store.database import Store
from gateway.store.lease_keeper import LEASE_SECONDS
from gateway.store.models import Session, SessionMessage
from gateway.store.sessions import SessionExpiry, SessionRecord, find_session, insert_session
from gateway.store.statements import FINISH_TURN, fetch_rows


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
        change = Session.update(running_until=utc_now() + self._lease).where(
            Session.running_turn.in_(list(turns))
        )
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
            self._store.write(work)
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
    *questions, answer = outcome.messages
    for message in questions:
        _add_message(db, session_id, message)
    figures = {
        "metadata": outcome.about,
        "input_tokens": outcome.input_tokens,
        "output_tokens": outcome.output_tokens,
        "cost": outcome.cost,
    }
    _add_message(db, session_id, answer, **figures)


def _add_message(db: Any, session_id: str, message: dict[str, Any], **figures: Any) -> None:
    values = {"session": session_id, "role": message["role"], "content": message, "created_at": utc_now()}
    SessionMessage.insert(**values, **figures).execute(db)
