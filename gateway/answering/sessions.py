"""The turns of sessions: claimed before they run, followed while they run, their answers stored when they end.

What a client has seen is what its session has. Of an answer that failed nothing is stored, so the same message can be
sent again; of a stream that was stopped or left, the question and the text so far.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import gevent
from gevent.lock import RLock

from gateway.answering import project_access
from gateway.answering.answer import Batch, Metered
from gateway.api.http import context as current
from gateway.api.http import owner
from gateway.dialects.chat import replay
from gateway.dialects.chat import request as chat
from gateway.dialects.chat.answers import ChoiceCollector
from gateway.dialects.chat.replay import Continuation
from gateway.dialects.chat.request import ChatRequest
from gateway.dialects.common.tool_call_format import ToolCallFormat
from gateway.errors import GatewayError, InvalidRequest, SessionBusy, StoreError, TurnStopped
from gateway.record import Record
from gateway.store.clock import utc_now
from gateway.store.session_claims import SessionClaims, TurnResult
from gateway.store.sessions import SessionRecord, Sessions, StoredMessage, new_session_id
from gateway.turn import Done, Started, Usage, sum_usage

log = logging.getLogger(__name__)

Body = dict[str, Any]

POLL_SECONDS = 0.5  # how soon a stop by another worker is noticed
RENEW_SECONDS = 1.5
PATIENCE_SECONDS = 1.0  # for a turn that is just ending: its client may know before its claim is given up
PATIENCE_PAUSE = 0.1
STOP_SECONDS = 2.0
STOP_PAUSE = 0.05
FINISH_PAUSES = (1, 2, 5, 10, 30, 60)  # between attempts to store what the database did not take, in seconds


class SessionTurns:
    """All turns that run in this worker. One per app."""

    def __init__(self, sessions: Sessions, claims: SessionClaims, *, store_all: bool) -> None:
        self.sessions = sessions
        self.claims = claims
        self.store_all = store_all
        self._running: dict[str, SessionTurn] = {}
        self._keeper: gevent.Greenlet[..., None] | None = None

    def add(self, turn: SessionTurn) -> None:
        """Keep the claim of a turn that runs, and stop the turn when it is asked to."""
        self._running[turn.id] = turn
        if not self._keeper:
            self._keeper = gevent.spawn(self._keep)

    def remove(self, turn: SessionTurn) -> None:
        """The turn has ended."""
        self._running.pop(turn.id, None)

    def stop(self, session_id: str) -> None:
        """Stop the session's turn, if it runs in this worker."""
        for turn in list(self._running.values()):
            if turn.session.id == session_id:
                turn.stop()

    def delete_project(self, project_id: str) -> None:
        """Delete a project's sessions and stop their turns, those of other workers within a second."""
        for session_id in self.sessions.delete_project(project_id):
            self.stop(session_id)

    def _keep(self) -> None:
        renewed = time.monotonic()
        while self._running:
            gevent.sleep(POLL_SECONDS)
            known = {turn.id: turn for turn in self._running.values() if turn.is_claimed}
            try:
                if time.monotonic() - renewed >= RENEW_SECONDS:
                    self.claims.renew_leases(known.keys())
                    renewed = time.monotonic()
                going_on = self.claims.find_active(known.keys())
            except StoreError:
                continue  # logged where it was raised; the claims outlast a short failure
            for turn_id in known.keys() - going_on:
                known[turn_id].stop()


class SessionTurn:
    """One turn of a session. `body` and `history` are what is to be run; `follow` is given the run of it.

    `is_claimed` says whether the database knows of the turn: for a session that is new it is told in the background.
    """

    def __init__(self, turns: SessionTurns, turn_id: str, session: SessionRecord, body: Body) -> None:
        self.id = turn_id
        self.session = session
        self.body = body
        self.history: list[dict[str, Any]] = []
        self.is_claimed = False
        self._turns = turns
        self._stored: list[StoredMessage] = []
        self._continuation = Continuation([], [], 0)
        self._opening = RLock()
        self._is_heard = False
        self._run: Metered | None = None
        self._choices = 1
        self._count = 0
        self._answer = ChoiceCollector()
        self._started = Started("")
        self._usages: list[Usage] = []
        self._is_over = False

    def load(self) -> None:
        """Put the session's own parameters and messages to those of the request. Raises InvalidRequest."""
        session = self.session
        if self.body.get("project_id") not in (None, "", session.project_id):
            raise InvalidRequest("The session belongs to another project.", param="project_id")
        for name in ("project_id", "model", "system_prompt"):
            own = getattr(session, name)
            if own and not self.body.get(name):
                self.body = {**self.body, name: own}
        if session.is_stored:
            self._stored = self._turns.sessions.list_messages(session.id)
            known = [stored.message for stored in self._stored]
            self._continuation = replay.continue_conversation(known, chat.read_messages(self.body))
            self.history = self._continuation.history

    def follow(self, run: Metered, wanted: ChatRequest) -> None:
        """Keep the claim while `run` goes on, and store what comes of it."""
        self._run = run
        self._choices = wanted.n
        self._answer = ChoiceCollector(ToolCallFormat(wanted.tool_call_format.deprecated))
        self._count = len(self._continuation.conversation or wanted.turn.messages) + 1
        run.record.session_id = self.session.id
        run.record.project_id = self.session.project_id
        run.listeners.append(self._hear)
        run.on_record.append(self._end)
        self._turns.add(self)

    def stop(self) -> None:
        """End the answer; its client is told."""
        if self._run is not None:
            self._run.stop(TurnStopped(should_retry=False))

    def give_up(self) -> None:
        """Nothing will run."""
        self._finish_later(TurnResult())

    def _open_quietly(self) -> None:
        try:
            self._open()
        except StoreError:
            log.warning("the session %s could not be added yet", self.session.id)

    def _open(self) -> None:
        with self._opening:
            if not self.is_claimed:
                self._turns.claims.open(self.session, self.id)
                self.is_claimed = True

    def _hear(self, index: int, batch: Batch) -> None:
        if not self._is_heard:
            self._is_heard = True
            if (
                not self.is_claimed
            ):  # while this batch goes to the client, who did not know of the session before
                gevent.spawn(self._open_quietly)
        if not self._started.model:
            found = (event for event in batch if isinstance(event, Started))
            self._started = next(found, self._started)
        if self.session.is_stored and index == 0:
            for event in batch:
                self._answer.add(event)
        if isinstance(batch[-1], Done):
            self._usages.append(batch[-1].usage)
            if len(self._usages) == self._choices:
                self._complete()

    def _complete(self) -> None:
        """Before the client has the end of the answer: its next request may come at once.

        The answer does not suffer from a database that is locked or full: then it is stored later. Raises TurnStopped.
        """
        usage = sum_usage(self._usages)
        self._is_over = True
        if not self.session.is_stored:
            self._finish_later(self._outcome(usage))
            return
        outcome = self._outcome(usage, self._answer.message())
        try:
            self._finish(outcome)
        except StoreError:
            self._finish_later(outcome)

    def _end(self, record: Record) -> None:
        self._turns.remove(self)
        if self._is_over:
            return
        text = self._answer.message()["content"]
        is_seen = record.outcome == "cut" and record.streamed and text
        answer = {"role": "assistant", "content": text} if is_seen else None
        self._finish_later(self._outcome(record.usage, answer))

    def _outcome(self, usage: Usage, answer: dict[str, Any] | None = None) -> TurnResult:
        outcome = TurnResult(
            model=self._started.model or None,
            claude_session_id=self._started.session or None,
            message_count=self._count,
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.output_tokens,
            cost=usage.cost_usd or 0.0,
        )
        if answer is None:
            return outcome if not self.session.is_stored else replace(outcome, message_count=None)
        continuation = self._continuation
        return replace(
            outcome,
            keep_until=self._stored[continuation.unchanged - 1].id if continuation.unchanged else 0,
            messages=[*continuation.conversation[continuation.unchanged :], answer],
            about={"model": self._started.model, "is_complete": len(self._usages) == self._choices},
        )

    def _finish(self, outcome: TurnResult) -> None:
        if self._is_heard:
            self._open()
        if self.is_claimed:
            self._turns.claims.finish(self.id, outcome)

    def _finish_later(self, outcome: TurnResult) -> None:
        gevent.spawn(self._finish_quietly, outcome)

    def _finish_quietly(self, outcome: TurnResult) -> None:
        for pause in (*FINISH_PAUSES, 0):
            try:
                self._finish(outcome)
                return
            except StoreError as error:
                log.warning("the end of a turn of session %s is not recorded: %s", self.session.id, error)
                gevent.sleep(pause)
            except GatewayError as error:  # there is nobody left to be told
                log.info("the end of a turn of session %s was not recorded: %s", self.session.id, error)
                return


@contextmanager
def begun(body: Body) -> Iterator[SessionTurn]:
    """The turn of a session that a chat body asks for: of the one it names, else of a new one.

    Given up when the block raises. Raises SessionNotFound, SessionBusy, ProjectNotFound and InvalidRequest.
    """
    project_access.require(body.get("project_id"))
    turn = _claimed(body) if body.get("session_id") else _new(body)
    try:
        turn.load()
        yield turn
    except BaseException:
        turn.give_up()
        raise


def stop(session_id: str) -> SessionRecord:
    """Stop the session's turn, wherever it runs, and wait a little for its end. Raises SessionNotFound."""
    turns, asker = current.session_turns(), owner.scope()
    session = turns.sessions.get(session_id, asker)
    turns.claims.request_stop(session.id)
    turns.stop(session.id)
    deadline = time.monotonic() + STOP_SECONDS
    while session.is_running and time.monotonic() < deadline:
        gevent.sleep(STOP_PAUSE)
        session = turns.sessions.get(session.id, asker)
    return session


def _claimed(body: Body) -> SessionTurn:
    turns, turn_id = current.session_turns(), secrets.token_hex(16)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            session = turns.claims.claim(body["session_id"], owner.scope(), turn_id)
        except SessionBusy:
            if time.monotonic() >= deadline:
                raise
            gevent.sleep(PATIENCE_PAUSE)
        else:
            turn = SessionTurn(turns, turn_id, session, body)
            turn.is_claimed = True
            return turn


def _new(body: Body) -> SessionTurn:
    turns, moment = current.session_turns(), utc_now()
    is_stored = turns.store_all
    session = SessionRecord(
        id=new_session_id(),
        owner=owner.current(),
        project_id=body.get("project_id") or None,
        title=None,
        model=None,
        system_prompt=body.get("system_prompt") if is_stored else None,
        is_stored=is_stored,
        created_at=moment,
        updated_at=moment,
    )
    return SessionTurn(turns, secrets.token_hex(16), session, body)
