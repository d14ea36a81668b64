"""Which turn runs in a session: one at a time, whatever process it runs in.

A claim is a lease. Who runs the turn renews it; when that process is killed, the claim ends by itself. Every change
goes by the turn's own id, so a turn that has lost its session to another cannot write into it.
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
    """What a turn leaves behind.

    `messages` are added behind the stored one with the id `keep_until` (0: behind none), and those after it go; the
    last is the answer, and `about` what is known of it besides. Without messages the stored ones stay as they are.
    Tokens and `cost` (USD) are added to the session's sums.
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
    """Claims on sessions. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store, expiry: SessionExpiry, lease_seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._expiry = expiry
        self._lease = timedelta(seconds=lease_seconds)

    def open(self, record: SessionRecord, turn: str) -> None:
        """Add a new session in which `turn` runs already."""
        lease = utc_now() + self._lease
        self._store.write_single(
            lambda db: insert_session(db, record, running_turn=turn, running_until=lease)
        )

    def claim(self, session_id: str, owner: str | None, turn: str) -> SessionRecord:
        """Let `turn` run in a session. Raises SessionNotFound, or SessionBusy if another does."""

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
        """Ask whoever runs a turn of the session to stop it."""
        change = Session.update(stop_requested=True).where(Session.id == session_id)
        self._store.write(lambda db: change.execute(db))

    def finish(self, turn: str, outcome: TurnResult) -> None:
        """End a turn: the session is free again. Raises TurnStopped if it is deleted, or another turn's by now."""
        values = _values(turn, outcome)

        def work(db: Any) -> None:
            found = fetch_rows(db, FINISH_TURN, *values)
            if not found:
                raise TurnStopped("The session was deleted while the answer was written.", should_retry=False)
            if outcome.messages:
                _replace(db, found[0][0], outcome)

        (self._store.write if outcome.messages else self._store.write_single)(work)


def _values(turn: str, outcome: TurnResult) -> list[Any]:
    """Return the values of FINISH_TURN."""
    model = Session.model.db_value(outcome.model)
    claude = Session.claude_session_id.db_value(outcome.claude_session_id)
    sums = [outcome.input_tokens + outcome.output_tokens, outcome.cost]
    return [False, Session.updated_at.db_value(utc_now()), model, claude, outcome.message_count, *sums, turn]


def _replace(db: Any, session_id: str, outcome: TurnResult) -> None:
    behind = (SessionMessage.session == session_id) & (SessionMessage.id > outcome.keep_until)
    SessionMessage.delete().where(behind).execute(db)
    *asked, answer = outcome.messages
    for message in asked:
        _add(db, session_id, message)
    figures = {
        "metadata": outcome.about,
        "input_tokens": outcome.input_tokens,
        "output_tokens": outcome.output_tokens,
        "cost": outcome.cost,
    }
    _add(db, session_id, answer, **figures)


def _add(db: Any, session_id: str, message: dict[str, Any], **figures: Any) -> None:
    values = {"session": session_id, "role": message["role"], "content": message, "created_at": utc_now()}
    SessionMessage.insert(**values, **figures).execute(db)
