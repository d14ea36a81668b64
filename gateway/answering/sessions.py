"""The turns of sessions: claimed before they run, and stored when they end.

A session stores what its client has seen. A failed answer stores nothing, so that the client can send the same message
again. A stream that was stopped, or that its client left, stores the question and the text that was sent.

For example, a turn runs like this:

    with session_turns.claim(body, caller) as claimed:  # released again if the block raises
        request = parse_plain_body(claimed.plain, claimed.history)
        answer = session_turns.persist(metered_answer, claimed, request)
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import gevent
from gevent.lock import RLock

from gateway.answering.caller import Caller
from gateway.answering.metering import RunningAnswer
from gateway.answering.project_access import find_project
from gateway.dialects.chat import cursor, replay
from gateway.dialects.chat.answers import ChoiceCollector
from gateway.dialects.chat.cursor import PlainBody
from gateway.dialects.chat.replay import Continuation
from gateway.dialects.chat.request import ChatRequest
from gateway.dialects.common.tool_call_format import ToolCallFormat
from gateway.errors import GatewayError, InvalidRequest, SessionBusy, StoreError, TurnStopped
from gateway.observe.transcript import Transcript
from gateway.store.clock import utc_now
from gateway.store.lease_keeper import LeaseKeeper
from gateway.store.projects import ProjectRecord, Projects
from gateway.store.session_claims import SessionClaims, TurnResult
from gateway.store.sessions import SessionRecord, Sessions, StoredMessage, new_session_id
from gateway.turn import Batch, Done, Started, Usage, sum_usage

log = logging.getLogger(__name__)

Body = dict[str, Any]

BUSY_SECONDS = 1.0  # a client may send its next turn just before the claim of its last one is released
BUSY_PAUSE = 0.1
STOP_SECONDS = 2.0
STOP_PAUSE = 0.05
FINISH_PAUSES = (
    1,
    2,
    5,
    10,
    30,
    60,
)  # seconds between attempts to store a turn while the database is unavailable


@dataclass(frozen=True, slots=True)
class ClaimedTurn:
    """A turn that may run in a session, with everything that the session adds to the request.

    `plain` is the chat body with the session's defaults, `continuation` how it continues the stored messages (None if
    the session stores none). `is_claimed` is False for a new session: it is inserted in the background, once its
    answer has begun.
    """

    id: str
    session: SessionRecord
    is_claimed: bool
    plain: PlainBody
    project: ProjectRecord | None = None
    stored: tuple[StoredMessage, ...] = ()
    continuation: Continuation | None = None

    @property
    def history(self) -> list[dict[str, Any]]:
        """The chat messages that go before those of the request."""
        return self.continuation.history if self.continuation else []


class SessionTurns:
    """The turns of sessions that run in this worker. There is one per app.

    With `store_all`, sessions that a request starts store their messages, too (STORE_CONVERSATIONS).
    """

    def __init__(
        self, sessions: Sessions, claims: SessionClaims, projects: Projects, *, store_all: bool = False
    ) -> None:
        self._sessions = sessions
        self._claims = claims
        self._projects = projects
        self._store_all = store_all
        self._keeper = LeaseKeeper(claims.renew_leases, claims.find_active)
        self._running: dict[str, PersistedAnswer] = {}

    @contextmanager
    def claim(self, body: Body, caller: Caller) -> Iterator[ClaimedTurn]:
        """Claim the session that a chat body names, or a new one. The claim is released if the block raises.

        Raises SessionNotFound, SessionBusy, ProjectNotFound and InvalidRequest.
        """
        project = self._find_project(body.get("project_id"), caller)
        turn_id = secrets.token_hex(16)
        is_claimed = bool(body.get("session_id"))
        session = self._claim(body, caller, turn_id) if is_claimed else self._new_session(body, caller)
        try:
            yield self._prepare(turn_id, session, is_claimed, body, project, caller)
        except BaseException:
            if is_claimed:
                gevent.spawn(finish_patiently, lambda: self._claims.finish(turn_id, TurnResult()), session.id)
            raise

    def persist(self, answer: RunningAnswer, claimed: ClaimedTurn, request: ChatRequest) -> PersistedAnswer:
        """Return the answer with its session: the claim is kept while it runs, and its end is stored."""
        persisted = PersistedAnswer(answer, claimed, request, self._claims, self._keeper, self._forget)
        self._running[claimed.id] = persisted
        return persisted

    def stop_session(self, session_id: str, caller: Caller) -> SessionRecord:
        """Stop the session's turn in whatever worker it runs, and wait a little for its end.

        Raises SessionNotFound.
        """
        session = self._sessions.get(session_id, caller.visible_owner)
        self._claims.request_stop(session.id)
        self.stop_local_turn(session.id)
        deadline = time.monotonic() + STOP_SECONDS
        while session.is_running and time.monotonic() < deadline:
            gevent.sleep(STOP_PAUSE)
            session = self._sessions.get(session.id, caller.visible_owner)
        return session

    def stop_local_turn(self, session_id: str) -> None:
        """Stop the session's turn, if it runs in this worker."""
        for answer in list(self._running.values()):
            if answer.session_id == session_id:
                answer.stop_on_request()

    def delete_project(self, project_id: str) -> None:
        """Delete a project's sessions and stop their turns. Other workers stop theirs within a second."""
        for session_id in self._sessions.delete_project(project_id):
            self.stop_local_turn(session_id)

    def _forget(self, turn_id: str) -> None:
        self._running.pop(turn_id, None)

    def _find_project(self, project_id: str | None, caller: Caller) -> ProjectRecord | None:
        return find_project(project_id, caller, self._projects) if project_id else None

    def _claim(self, body: Body, caller: Caller, turn_id: str) -> SessionRecord:
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                return self._claims.claim(body["session_id"], caller.visible_owner, turn_id)
            except SessionBusy:
                if time.monotonic() >= deadline:
                    raise
                gevent.sleep(BUSY_PAUSE)

    def _new_session(self, body: Body, caller: Caller) -> SessionRecord:
        created_at = utc_now()
        return SessionRecord(
            id=new_session_id(),
            owner=caller.owner_id,
            project_id=body.get("project_id") or None,
            title=None,
            model=None,
            system_prompt=body.get("system_prompt") if self._store_all else None,
            is_stored=self._store_all,
            created_at=created_at,
            updated_at=created_at,
        )

    def _prepare(
        self,
        turn_id: str,
        session: SessionRecord,
        is_claimed: bool,
        body: Body,
        project: ProjectRecord | None,
        caller: Caller,
    ) -> ClaimedTurn:
        plain = cursor.as_chat(with_defaults(body, session))
        claimed = ClaimedTurn(
            turn_id, session, is_claimed, plain, project or self._find_project(session.project_id, caller)
        )
        if not session.is_stored:
            return claimed
        stored = self._sessions.list_messages(session.id) if is_claimed else []
        continuation = replay.continue_conversation([one.message for one in stored], plain.messages)
        return replace(claimed, stored=tuple(stored), continuation=continuation)


class PersistedAnswer:
    """The answer of a session's turn: its claim is renewed while it runs, and the session is updated at its end.

    A complete answer is stored before its last batch is handed out, because the client may send its next turn at once.
    """

    def __init__(
        self,
        answer: RunningAnswer,
        claimed: ClaimedTurn,
        request: ChatRequest,
        claims: SessionClaims,
        keeper: LeaseKeeper[str],
        on_end: Callable[[str], None],
    ) -> None:
        self.record = answer.record
        self.record.session_id = claimed.session.id
        self.record.project_id = claimed.session.project_id
        self._answer = answer
        self._claimed = claimed
        self._claims = claims
        self._keeper = keeper
        self._on_end = on_end
        self._choices = request.n
        messages = claimed.continuation.conversation if claimed.continuation else request.turn.messages
        self._message_count = len(messages) + 1
        self._collector = ChoiceCollector(ToolCallFormat(request.tool_call_format.deprecated))
        self._started = Started("")
        self._usages: list[Usage] = []
        self._opening = RLock()
        self._is_claimed = claimed.is_claimed
        self._has_begun = False
        self._is_complete = False
        self._is_over = False
        if self._is_claimed:
            self._keeper.add(claimed.id, self.stop_on_request)

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        for index, batch in self._answer:
            self._collect(index, batch)
            if isinstance(batch[-1], Done):
                self._usages.append(batch[-1].usage)
                if len(self._usages) == self._choices:
                    self._store_complete_answer()
            yield index, batch

    @property
    def session_id(self) -> str:
        """The id of the session."""
        return self._claimed.session.id

    @property
    def transcript(self) -> Transcript | None:
        """The text so far; None unless LOG_CONTENT is set."""
        return self._answer.transcript

    @property
    def seconds(self) -> float:
        """The seconds since the request."""
        return self._answer.seconds

    def used(self) -> Usage:
        """Return the usage so far. While the answer is running, its output tokens are an estimate."""
        return self._answer.used()

    def stop(self, reason: GatewayError) -> None:
        """End the answer from outside."""
        self._answer.stop(reason)

    def stop_on_request(self) -> None:
        """End the answer because another request asked for it; the client is told."""
        self.stop(TurnStopped(should_retry=False))

    def fail(self, error: GatewayError) -> None:
        """Record the error that ended the answer."""
        self._answer.fail(error)

    def close(self) -> None:
        """Free everything, and update the session in the background if the answer did not come to its end."""
        self._answer.close()
        self._end()

    def abandon(self, reason: GatewayError) -> None:
        """Stop the answer and record it now."""
        self._answer.abandon(reason)
        self._end()

    def _collect(self, index: int, batch: Batch) -> None:
        if not self._has_begun:
            self._has_begun = True
            if (
                not self._is_claimed
            ):  # while this batch goes to the client, which does not know the session yet
                gevent.spawn(self._insert_early)
        if not self._started.model:
            found = (event for event in batch if isinstance(event, Started))
            self._started = next(found, self._started)
        if self._claimed.session.is_stored and index == 0:
            for event in batch:
                self._collector.add(event)

    def _store_complete_answer(self) -> None:
        """Store the answer, later if the database is unavailable. Raises TurnStopped if the session was deleted."""
        self._is_complete = True
        usage = sum_usage(self._usages)
        if not self._claimed.session.is_stored:
            self._finish_later(self._result(usage))
            return
        result = self._result(usage, self._collector.message())
        try:
            self._finish(result)
        except StoreError:
            self._finish_later(result)
        except GatewayError as error:
            self.fail(error)
            raise

    def _end(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._keeper.remove(self._claimed.id)
        self._on_end(self._claimed.id)
        if not self._is_complete:
            text = self._collector.message()["content"]
            was_seen = self.record.outcome == "cut" and self.record.streamed and text
            answer = {"role": "assistant", "content": text} if was_seen else None
            self._finish_later(self._result(self.record.usage, answer))

    def _result(self, usage: Usage, answer: dict[str, Any] | None = None) -> TurnResult:
        """Return what is stored of the turn; without an `answer` only sums change."""
        result = TurnResult(
            model=self._started.model or None,
            claude_session_id=self._started.session or None,
            message_count=self._message_count,
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.output_tokens,
            cost=usage.cost_usd or 0.0,
        )
        continuation = self._claimed.continuation
        if continuation is None:
            return result
        if answer is None:
            return replace(result, message_count=None)
        known = continuation.unchanged
        return replace(
            result,
            keep_until=self._claimed.stored[known - 1].id if known else 0,
            messages=[*continuation.conversation[known:], answer],
            about={"model": self._started.model, "is_complete": len(self._usages) == self._choices},
        )

    def _insert_early(self) -> None:
        try:
            self._insert()
        except StoreError:
            log.warning("the session %s could not be added yet", self.session_id)

    def _insert(self) -> None:
        with self._opening:
            if self._is_claimed:
                return
            self._claims.open(self._claimed.session, self._claimed.id)
            self._is_claimed = True
            if not self._is_over:
                self._keeper.add(self._claimed.id, self.stop_on_request)

    def _finish(self, result: TurnResult) -> None:
        if self._has_begun:
            self._insert()
        if self._is_claimed:
            self._claims.finish(self._claimed.id, result)
            self._keeper.remove(self._claimed.id)

    def _finish_later(self, result: TurnResult) -> None:
        gevent.spawn(finish_patiently, lambda: self._finish(result), self.session_id)


def with_defaults(body: Body, session: SessionRecord) -> Body:
    """Return the body with the session's own project, model and system prompt where it has none.

    Raises InvalidRequest if the body names another project.
    """
    if body.get("project_id") not in (None, "", session.project_id):
        raise InvalidRequest("The session belongs to another project.", param="project_id")
    defaults = {name: getattr(session, name) for name in ("project_id", "model", "system_prompt")}
    return {**body, **{name: own for name, own in defaults.items() if own and not body.get(name)}}


def finish_patiently(finish: Callable[[], None], session_id: str) -> None:
    """Call `finish` until the database takes it, with growing pauses."""
    for pause in (*FINISH_PAUSES, 0):
        try:
            finish()
            return
        except StoreError as error:
            log.warning("the end of a turn of session %s could not be stored: %s", session_id, error)
            gevent.sleep(pause)
        except GatewayError as error:  # the client is gone
            log.info("the end of a turn of session %s was not stored: %s", session_id, error)
            return
