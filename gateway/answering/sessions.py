"""The turns of sessions that run in this worker: claiming, stopping and persisting them.

For example, a turn runs like this:

    with session_turns.claim(body, caller) as claimed:  # released again if the block raises
        request = parse_plain_body(claimed.plain, claimed.history)
        answer = session_turns.persist(metered_answer, claimed, request)
"""

import secrets
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

import gevent

from gateway.answering.caller import Caller
from gateway.answering.late_endings import LateEndings
from gateway.answering.metering import AnswerStream
from gateway.answering.persisted_answer import ClaimedTurn, PersistedAnswer
from gateway.answering.project_access import find_project
from gateway.dialects.chat import cursor, replay
from gateway.dialects.chat.request import ChatRequest
from gateway.dialects.common.json_types import Body
from gateway.dialects.common.stored_files import FileReader
from gateway.errors import InvalidRequest, SessionBusy, SessionNotFound, StoreError
from gateway.store.lease_keeper import LeaseKeeper
from gateway.store.projects import ProjectRecord, Projects
from gateway.store.sessions import SessionClaims, SessionRecord, Sessions, TurnResult, is_own_id

BUSY_SECONDS = 1.0  # a client may send its next turn just before the claim of its last one is released
BUSY_PAUSE = 0.1
LAST_TURN_UNSTORED = (
    "The last answer of this session is not stored, because the gateway's database has failed."
)
STOP_SECONDS = 2.0
STOP_PAUSE = 0.05


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
        self._late_endings = LateEndings()

    @contextmanager
    def claim(
        self,
        body: Body,
        caller: Caller,
        read_file: FileReader | None = None,
        hosted_tools: Collection[str] = (),
        *,
        long_cache: bool = False,
    ) -> Iterator[ClaimedTurn]:
        """Claim the session that a chat body names, or a new one. The claim is released if the block raises.

        `read_file` returns the caller's files, and `hosted_tools` names the hosted tools that the caller may use. With
        `long_cache`, the prompt may be cached for long.
        Raises SessionNotFound, SessionBusy, ProjectNotFound and InvalidRequest.
        """
        project = self._find_project(body.get("project_id"), caller)
        turn_id = secrets.token_hex(16)
        found = self._claim(body, caller, turn_id) if body.get("session_id") else None
        is_claimed = found is not None
        session = found or self._new_session(body, caller)
        try:
            plain = cursor.as_chat(
                with_defaults(body, session), read_file, hosted_tools, long_cache=long_cache
            )
            claimed = self._prepare(turn_id, session, is_claimed, plain, project, caller)
            if body.get("session_id") and not is_claimed:
                claimed.plain.notes.ignore("session_id")
            yield claimed
        except BaseException:
            if is_claimed:
                self._late_endings.store(lambda: self._claims.finish(turn_id, TurnResult()), session.id)
            raise

    def persist(self, answer: AnswerStream, claimed: ClaimedTurn, request: ChatRequest) -> PersistedAnswer:
        """Return the answer with its session: the claim is kept while it runs, and its end is stored."""
        persisted = PersistedAnswer(
            answer, claimed, request, self._claims, self._keeper, self._running.pop, self._late_endings
        )
        self._running[claimed.id] = persisted
        return persisted

    def stop_session(self, session_id: str, caller: Caller) -> SessionRecord:
        """Stop the session's turn in any worker, and wait up to STOP_SECONDS for its end.

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

    def end_all(self) -> None:
        """Free the sessions whose answers the end of the worker cuts off."""
        for answer in list(self._running.values()):
            answer.end()

    def delete_project(self, project_id: str) -> None:
        """Delete a project's sessions and stop their turns. Other workers stop theirs within a second."""
        for session_id in self._sessions.delete_project(project_id):
            self.stop_local_turn(session_id)

    def _find_project(self, project_id: str | None, caller: Caller) -> ProjectRecord | None:
        return find_project(project_id, caller, self._projects) if project_id else None

    def _claim(self, body: Body, caller: Caller, turn_id: str) -> SessionRecord | None:
        """Claim the session, or return None for an id that the client has made up.

        Raises StoreError if the session is only busy because the database does not take the end of its last turn.
        """
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                return self._claims.claim(body["session_id"], caller.visible_owner, turn_id)
            except SessionNotFound:
                if is_own_id(body["session_id"]):
                    raise
                return None
            except SessionBusy:
                if self._late_endings.is_failing(body["session_id"]):
                    raise StoreError(LAST_TURN_UNSTORED, retry_after=1) from None
                if time.monotonic() >= deadline:
                    raise
                gevent.sleep(BUSY_PAUSE)

    def _new_session(self, body: Body, caller: Caller) -> SessionRecord:
        return SessionRecord(
            caller.owner_id,
            project_id=body.get("project_id") or None,
            system_prompt=body.get("system_prompt") if self._store_all else None,
            is_stored=self._store_all,
        )

    def _prepare(
        self,
        turn_id: str,
        session: SessionRecord,
        is_claimed: bool,
        plain: cursor.PlainBody,
        project: ProjectRecord | None,
        caller: Caller,
    ) -> ClaimedTurn:
        claimed = ClaimedTurn(
            turn_id, session, is_claimed, plain, project or self._find_project(session.project_id, caller)
        )
        if not session.is_stored:
            return claimed
        stored = self._sessions.list_messages(session.id) if is_claimed else []
        continuation = replay.continue_conversation([one.message for one in stored], plain.messages)
        return replace(claimed, stored=tuple(stored), continuation=continuation)


def with_defaults(body: Body, session: SessionRecord) -> Body:
    """Return the body with the session's own project, model and system prompt where it has none.

    Raises InvalidRequest if the body names another project.
    """
    if body.get("project_id") not in (None, "", session.project_id):
        raise InvalidRequest("The session belongs to another project.", param="project_id")
    defaults = {name: getattr(session, name) for name in ("project_id", "model", "system_prompt")}
    return {**body, **{name: own for name, own in defaults.items() if own and not body.get(name)}}
