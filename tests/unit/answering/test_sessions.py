"""The turns of sessions: claimed, run and stored, on a real database and with runs that need no CLI."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import gevent
import pytest

from gateway.answering import persisted_answer
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
from gateway.store.session_claims import SessionClaims, TurnResult
from gateway.store.sessions import SessionExpiry, SessionRecord, Sessions
from gateway.turn import Batch, Started, Text
from tests.unit.answering.fakes import MODEL, USAGE, FakeRun, caller, complete_run, meter

ME = caller("me")
HI = {"role": "user", "content": "hi"}
BEGIN: Batch = [Started(MODEL, session="cli-1")]


class House:
    """Session turns on a database, and the pieces that a test looks at."""

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
def house(store: Store) -> House:
    return House(store)


@pytest.fixture
def session(house: House) -> SessionRecord:
    return house.sessions.create("me", model="haiku", system_prompt="Be brief.")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(module, "BUSY_PAUSE", 0.01)
    monkeypatch.setattr(module, "STOP_SECONDS", 0.1)
    monkeypatch.setattr(persisted_answer, "FINISH_PAUSES", (0.01, 0.01))


def finish(answer: PersistedAnswer) -> None:
    list(answer)
    answer.close()


def test_a_complete_answer_is_stored_before_its_last_batch_is_handed_out(
    house: House, session: SessionRecord
) -> None:
    answer = house.start(complete_run("hello"), session_id=session.id)
    batches = iter(answer)
    next(batches)
    next(batches)
    assert house.messages(session) == []
    next(batches)
    assert house.messages(session) == [("user", "hi"), ("assistant", "hello")]
    assert not house.sessions.get(session.id, "me").is_running
    assert list(batches) == []
    answer.close()
    stored = house.sessions.get(session.id, "me")
    assert (stored.total_tokens, stored.total_cost, stored.message_count) == (USAGE.total_tokens, 0.25, 2)
    assert (house.records[0].session_id, house.records[0].outcome) == (session.id, "complete")


def test_the_session_gives_the_request_its_model_prompt_and_history(
    house: House, session: SessionRecord
) -> None:
    finish(house.start(complete_run("hello"), session_id=session.id))
    again = {"messages": [{"role": "user", "content": "and now?"}], "session_id": session.id}
    with house.turns.claim(again, ME) as claimed:
        request = parse_plain_body(claimed.plain, claimed.history)
        house.claims.finish(claimed.id, TurnResult())
    assert (request.turn.requested_model, request.turn.system) == ("haiku", ("Be brief.",))
    assert [message.role for message in request.turn.messages] == ["user", "assistant", "user"]
    assert claimed.plain.body["messages"] == again["messages"]


def test_the_requests_own_parameters_win(session: SessionRecord) -> None:
    body = module.with_defaults({"model": "opus", "system_prompt": ""}, session)
    assert body == {"model": "opus", "system_prompt": "Be brief."}


def test_a_session_of_another_project_is_refused_and_stays_free(house: House, session: SessionRecord) -> None:
    house.projects.create("p", "me", "p", "P")
    with pytest.raises(InvalidRequest) as error:
        house.start(complete_run(), session_id=session.id, project_id="p")
    assert error.value.param == "project_id"
    house.wait_until_free(session.id)


def test_the_project_is_read_once_whether_the_request_or_the_session_names_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.projects.create("p", "me", "p", "P")
    session = house.sessions.create("me", project_id="p")
    reads: list[str] = []
    get = house.projects.get

    def count_reads(project_id: str, owner: str | None) -> ProjectRecord:
        reads.append(project_id)
        return get(project_id, owner)

    monkeypatch.setattr(house.projects, "get", count_reads)
    for body in (
        {"session_id": session.id},
        {"session_id": session.id, "project_id": "p"},
        {"project_id": "p"},
    ):
        with house.turns.claim({"messages": [HI], **body}, ME) as claimed:
            assert claimed.project is not None
            if claimed.is_claimed:
                house.claims.finish(claimed.id, TurnResult())
    assert reads == ["p", "p", "p"]


@pytest.mark.parametrize(
    ("body", "error"), [({"session_id": "none"}, SessionNotFound), ({"project_id": "none"}, ProjectNotFound)]
)
def test_what_does_not_exist_is_refused(house: House, body: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        house.start(complete_run(), **body)


def test_a_session_takes_one_turn_at_a_time(house: House, session: SessionRecord) -> None:
    answer = house.start(complete_run(), session_id=session.id)
    with pytest.raises(SessionBusy):
        house.start(complete_run(), session_id=session.id)
    finish(answer)
    finish(house.start(complete_run(), session_id=session.id))


def test_a_claim_is_released_if_the_request_turns_out_to_be_wrong(
    house: House, session: SessionRecord
) -> None:
    claim = house.turns.claim({"messages": [HI], "session_id": session.id}, ME)
    with pytest.raises(KeyError), claim:
        raise KeyError
    house.wait_until_free(session.id)


def test_a_new_session_is_inserted_once_its_answer_has_begun(house: House) -> None:
    answer = house.start(complete_run())
    session_id = str(answer.record.session_id)
    with pytest.raises(SessionNotFound):
        house.sessions.get(session_id, "me")
    batches = iter(answer)
    next(batches)
    gevent.sleep(0.02)
    assert house.sessions.get(session_id, "me").is_running
    list(batches)
    answer.close()
    found = house.wait_until_free(session_id)
    assert (found.message_count, found.is_stored, found.model) == (2, False, MODEL)


def test_a_new_session_stores_its_messages_if_all_are_to_be_stored(store: Store) -> None:
    house = House(store, store_all=True)
    answer = house.start(complete_run("hello"))
    finish(answer)
    session = house.sessions.get(answer.session_id, "me")
    assert house.messages(session) == [("user", "hi"), ("assistant", "hello")]


@pytest.mark.parametrize(
    ("streamed", "stored"), [(True, [("user", "hi"), ("assistant", "so far")]), (False, [])]
)
def test_a_stream_that_was_cut_stores_what_its_client_has_seen(
    house: House, session: SessionRecord, streamed: bool, stored: list[tuple[str, str]]
) -> None:
    answer = house.start(
        FakeRun(BEGIN, [Text("so far")], error=ClientGone()), streamed, session_id=session.id
    )
    with pytest.raises(ClientGone):
        list(answer)
    answer.close()
    house.wait_until_free(session.id)
    assert house.messages(session) == stored


def test_an_answer_that_no_one_reads_frees_its_session(house: House, session: SessionRecord) -> None:
    house.start(complete_run(), session_id=session.id).close()
    found = house.wait_until_free(session.id)
    assert (house.messages(session), found.total_tokens) == ([], USAGE.total_tokens)


def test_the_end_of_the_worker_frees_the_session(house: House, session: SessionRecord) -> None:
    answer = house.start(FakeRun(BEGIN, [Text("so far")]), session_id=session.id)
    next(iter(answer))
    house.turns.end_all()
    house.wait_until_free(session.id)
    answer.close()  # no longer changes the session
    assert house.messages(session) == []


def test_another_request_stops_the_turn(house: House, session: SessionRecord) -> None:
    run = FakeRun(BEGIN, [Text("so far")], [Text("never")])
    answer = house.start(run, session_id=session.id)
    batches = iter(answer)
    next(batches)
    house.turns.stop_session(session.id, ME)
    with pytest.raises(TurnStopped) as error:
        next(batches)
    answer.close()
    assert error.value.should_retry is False
    assert house.records[0].error == "stopped"


def test_a_session_deleted_while_it_is_answered_stops_the_answer(
    house: House, session: SessionRecord
) -> None:
    answer = house.start(complete_run(), session_id=session.id)
    house.sessions.delete(session.id, "me")
    with pytest.raises(TurnStopped):
        list(answer)
    answer.close()
    assert [(record.outcome, record.error) for record in house.records] == [("cut", "stopped")]


def test_deleting_a_project_stops_its_turns(house: House) -> None:
    house.projects.create("p", "me", "p", "P")
    session = house.sessions.create("me", project_id="p")
    run = FakeRun(BEGIN)
    house.start(run, session_id=session.id)
    house.turns.delete_project("p")
    assert isinstance(run.stopped, TurnStopped)


def test_a_complete_answer_outlives_a_database_that_fails(
    house: House, session: SessionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([StoreError(), StoreError()])
    whole: Callable[..., None] = house.claims.finish

    def failing(*args: Any) -> None:
        for error in failures:
            raise error
        whole(*args)

    answer = house.start(complete_run("hello"), session_id=session.id)
    monkeypatch.setattr(house.claims, "finish", failing)
    finish(answer)
    house.wait_until_free(session.id)
    assert house.messages(session) == [("user", "hi"), ("assistant", "hello")]


def test_a_deleted_session_ends_the_attempts_to_store(house: House, session: SessionRecord) -> None:
    answer = house.start(FakeRun(BEGIN), session_id=session.id)
    next(iter(answer))
    house.sessions.delete(session.id, "me")
    answer.close()
    gevent.sleep(0.02)
    assert house.records[0].error == "client_closed_request"
