"""The turns of sessions: claimed, run and stored, on a real database and with runs that need no CLI."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import gevent
import pytest

from gateway.answering import late_endings
from gateway.answering import sessions as module
from gateway.answering.persisted_answer import ClaimedTurn, PersistedAnswer
from gateway.answering.sessions import SessionTurns
from gateway.dialects.chat.request import parse_plain_body
from gateway.errors import (
    ClientGone,
    InvalidRequest,
    ProjectNotFound,
    SessionBusy,
    SessionNotFound,
    StoreError,
    TurnStopped,
)
from gateway.record import Record
from gateway.store.database import Store
from gateway.store.projects import ProjectRecord, Projects
from gateway.store.sessions import SessionClaims, SessionExpiry, SessionRecord, Sessions, TurnResult
from gateway.turn import Batch, Started, Text
from tests.unit.answering.fakes import MODEL, USAGE, FakeRun, caller, complete_run, meter

ME = caller("me")
HI = {"role": "user", "content": "hi"}
BEGIN: Batch = [Started(MODEL, session="cli-1")]


class SessionHarness:
    """Session turns on a database, and the parts that a test looks at."""

    def __init__(self, store: Store, *, store_all: bool = False) -> None:
        expiry = SessionExpiry(timedelta(minutes=30))
        self.sessions = Sessions(store, expiry)
        self.claims = SessionClaims(store, expiry)
        self.projects = Projects(store)
        self.turns = SessionTurns(self.sessions, self.claims, self.projects, store_all=store_all)
        self.records: list[Record] = []

    def start(self, run: FakeRun, streamed: bool = True, **body: Any) -> PersistedAnswer:
        with self.turns.claim({"messages": [HI], **body}, ME) as claimed:
            return self.persist(run, claimed, streamed)

    def persist(self, run: FakeRun, claimed: ClaimedTurn, streamed: bool = True) -> PersistedAnswer:
        request = parse_plain_body(claimed.plain, claimed.history)
        return self.turns.persist(meter(run, self.records.append, streamed), claimed, request)

    def messages(self, session: SessionRecord) -> list[tuple[str, str]]:
        found = [stored.message for stored in self.sessions.list_messages(session.id)]
        return [(message["role"], message["content"]) for message in found]

    def wait_until_free(self, session_id: str) -> SessionRecord:
        with gevent.Timeout(2):
            while (found := self.sessions.get(session_id, "me")).is_running:
                gevent.sleep(0.005)
        return found


@pytest.fixture
def harness(store: Store) -> SessionHarness:
    return SessionHarness(store)


@pytest.fixture
def session(harness: SessionHarness) -> SessionRecord:
    return harness.sessions.create("me", model="haiku", system_prompt="Be brief.")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(module, "BUSY_PAUSE", 0.01)
    monkeypatch.setattr(module, "STOP_SECONDS", 0.1)
    monkeypatch.setattr(late_endings, "FINISH_PAUSES", (0.01, 0.01))


def finish(answer: PersistedAnswer) -> None:
    list(answer)
    answer.close()


def test_a_complete_answer_is_stored_before_its_last_batch_is_handed_out(
    harness: SessionHarness, session: SessionRecord
) -> None:
    answer = harness.start(complete_run("hello"), session_id=session.id)
    batches = iter(answer)
    next(batches)
    next(batches)
    assert harness.messages(session) == []
    next(batches)
    assert harness.messages(session) == [("user", "hi"), ("assistant", "hello")]
    assert not harness.sessions.get(session.id, "me").is_running
    assert list(batches) == []
    answer.close()
    stored = harness.sessions.get(session.id, "me")
    assert (stored.total_tokens, stored.total_cost, stored.message_count) == (USAGE.total_tokens, 0.25, 2)
    assert (harness.records[0].session_id, harness.records[0].outcome) == (session.id, "complete")


def test_the_session_gives_the_request_its_model_prompt_and_history(
    harness: SessionHarness, session: SessionRecord
) -> None:
    finish(harness.start(complete_run("hello"), session_id=session.id))
    again = {"messages": [{"role": "user", "content": "and now?"}], "session_id": session.id}
    with harness.turns.claim(again, ME) as claimed:
        request = parse_plain_body(claimed.plain, claimed.history)
        harness.claims.finish(claimed.id, TurnResult())
    assert (request.turn.requested_model, request.turn.system) == ("haiku", ("Be brief.",))
    assert [message.role for message in request.turn.messages] == ["user", "assistant", "user"]
    assert claimed.plain.body["messages"] == again["messages"]


def test_the_requests_own_parameters_win(session: SessionRecord) -> None:
    body = module.with_defaults({"model": "opus", "system_prompt": ""}, session)
    assert body == {"model": "opus", "system_prompt": "Be brief."}


def test_a_session_of_another_project_is_refused_and_stays_free(
    harness: SessionHarness, session: SessionRecord
) -> None:
    harness.projects.create("p", "me", "p", "P")
    with pytest.raises(InvalidRequest) as error:
        harness.start(complete_run(), session_id=session.id, project_id="p")
    assert error.value.param == "project_id"
    harness.wait_until_free(session.id)


def test_the_project_is_read_once_whether_the_request_or_the_session_names_it(
    harness: SessionHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.projects.create("p", "me", "p", "P")
    session = harness.sessions.create("me", project_id="p")
    reads: list[str] = []
    get = harness.projects.get

    def count_reads(project_id: str, owner: str | None) -> ProjectRecord:
        reads.append(project_id)
        return get(project_id, owner)

    monkeypatch.setattr(harness.projects, "get", count_reads)
    for body in (
        {"session_id": session.id},
        {"session_id": session.id, "project_id": "p"},
        {"project_id": "p"},
    ):
        with harness.turns.claim({"messages": [HI], **body}, ME) as claimed:
            assert claimed.project is not None
            if claimed.is_claimed:
                harness.claims.finish(claimed.id, TurnResult())
    assert reads == ["p", "p", "p"]


@pytest.mark.parametrize(
    ("body", "error"),
    [({"session_id": "sess_none"}, SessionNotFound), ({"project_id": "none"}, ProjectNotFound)],
)
def test_what_does_not_exist_is_refused(
    harness: SessionHarness, body: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        harness.start(complete_run(), **body)


def test_session_id_that_the_client_made_up_is_ignored_and_named(harness: SessionHarness) -> None:
    for _ in range(2):
        with harness.turns.claim({"messages": [HI], "session_id": "my-own-id"}, ME) as claimed:
            assert not claimed.is_claimed
            assert claimed.session.id.startswith("sess_")
            assert claimed.plain.notes.ignored == ("session_id",)


def test_a_session_takes_one_turn_at_a_time(harness: SessionHarness, session: SessionRecord) -> None:
    answer = harness.start(complete_run(), session_id=session.id)
    with pytest.raises(SessionBusy):
        harness.start(complete_run(), session_id=session.id)
    finish(answer)
    finish(harness.start(complete_run(), session_id=session.id))


def test_a_claim_is_released_if_the_request_turns_out_to_be_wrong(
    harness: SessionHarness, session: SessionRecord
) -> None:
    claim = harness.turns.claim({"messages": [HI], "session_id": session.id}, ME)
    with pytest.raises(KeyError), claim:
        raise KeyError
    harness.wait_until_free(session.id)


def test_a_new_session_is_inserted_once_its_answer_has_begun(harness: SessionHarness) -> None:
    answer = harness.start(complete_run())
    session_id = str(answer.record.session_id)
    with pytest.raises(SessionNotFound):
        harness.sessions.get(session_id, "me")
    batches = iter(answer)
    next(batches)
    gevent.sleep(0.02)
    assert harness.sessions.get(session_id, "me").is_running
    list(batches)
    answer.close()
    found = harness.wait_until_free(session_id)
    assert (found.message_count, found.is_stored, found.model) == (2, False, MODEL)


def test_a_new_session_stores_its_messages_if_all_are_to_be_stored(store: Store) -> None:
    harness = SessionHarness(store, store_all=True)
    answer = harness.start(complete_run("hello"))
    finish(answer)
    session = harness.sessions.get(answer.session_id, "me")
    assert harness.messages(session) == [("user", "hi"), ("assistant", "hello")]


@pytest.mark.parametrize(
    ("streamed", "stored"), [(True, [("user", "hi"), ("assistant", "so far")]), (False, [])]
)
def test_a_stream_that_was_cut_stores_what_its_client_has_seen(
    harness: SessionHarness, session: SessionRecord, streamed: bool, stored: list[tuple[str, str]]
) -> None:
    answer = harness.start(
        FakeRun(BEGIN, [Text("so far")], error=ClientGone()), streamed, session_id=session.id
    )
    with pytest.raises(ClientGone):
        list(answer)
    answer.close()
    harness.wait_until_free(session.id)
    assert harness.messages(session) == stored


def test_an_answer_that_no_one_reads_frees_its_session(
    harness: SessionHarness, session: SessionRecord
) -> None:
    harness.start(complete_run(), session_id=session.id).close()
    found = harness.wait_until_free(session.id)
    assert (harness.messages(session), found.total_tokens) == ([], USAGE.total_tokens)


def test_the_end_of_the_worker_frees_the_session(harness: SessionHarness, session: SessionRecord) -> None:
    answer = harness.start(FakeRun(BEGIN, [Text("so far")]), session_id=session.id)
    next(iter(answer))
    harness.turns.end_all()
    harness.wait_until_free(session.id)
    answer.close()  # no longer changes the session
    assert harness.messages(session) == []


def test_another_request_stops_the_turn(harness: SessionHarness, session: SessionRecord) -> None:
    run = FakeRun(BEGIN, [Text("so far")], [Text("never")])
    answer = harness.start(run, session_id=session.id)
    batches = iter(answer)
    next(batches)
    harness.turns.stop_session(session.id, ME)
    with pytest.raises(TurnStopped) as error:
        next(batches)
    answer.close()
    assert error.value.should_retry is False
    assert harness.records[0].error == "stopped"


def test_a_session_deleted_while_it_is_answered_stops_the_answer(
    harness: SessionHarness, session: SessionRecord
) -> None:
    answer = harness.start(complete_run(), session_id=session.id)
    harness.sessions.delete(session.id, "me")
    with pytest.raises(TurnStopped):
        list(answer)
    answer.close()
    assert [(record.outcome, record.error) for record in harness.records] == [("cut", "stopped")]


def test_deleting_a_project_stops_its_turns(harness: SessionHarness) -> None:
    harness.projects.create("p", "me", "p", "P")
    session = harness.sessions.create("me", project_id="p")
    run = FakeRun(BEGIN)
    harness.start(run, session_id=session.id)
    harness.turns.delete_project("p")
    assert isinstance(run.stopped, TurnStopped)


def test_a_complete_answer_outlives_a_database_that_fails(
    harness: SessionHarness, session: SessionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([StoreError(), StoreError()])
    whole: Callable[..., None] = harness.claims.finish

    def failing(*args: Any) -> None:
        for error in failures:
            raise error
        whole(*args)

    answer = harness.start(complete_run("hello"), session_id=session.id)
    monkeypatch.setattr(harness.claims, "finish", failing)
    finish(answer)
    harness.wait_until_free(session.id)
    assert harness.messages(session) == [("user", "hi"), ("assistant", "hello")]


def test_a_deleted_session_ends_the_attempts_to_store(
    harness: SessionHarness, session: SessionRecord
) -> None:
    answer = harness.start(FakeRun(BEGIN), session_id=session.id)
    next(iter(answer))
    harness.sessions.delete(session.id, "me")
    answer.close()
    gevent.sleep(0.02)
    assert harness.records[0].error == "client_closed_request"


def test_session_is_unavailable_and_not_busy_while_the_end_of_its_last_turn_cannot_be_stored(
    harness: SessionHarness, session: SessionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client would take 409 for its own fault, but the database is full."""
    works = harness.claims.finish
    is_full = True

    def finish_or_fail(turn: str, outcome: TurnResult) -> None:
        if is_full:
            raise StoreError
        works(turn, outcome)

    monkeypatch.setattr(harness.claims, "finish", finish_or_fail)
    monkeypatch.setattr(late_endings, "FINISH_PAUSES", (0.05,) * 50)
    finish(harness.start(complete_run("hello"), session_id=session.id))
    gevent.sleep(0.01)
    with pytest.raises(StoreError, match="The last answer of this session is not stored"):
        harness.start(complete_run(), session_id=session.id)
    is_full = False
    harness.wait_until_free(session.id)
    assert harness.messages(session) == [("user", "hi"), ("assistant", "hello")]
    finish(harness.start(complete_run(), session_id=session.id))
