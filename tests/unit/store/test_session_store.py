"""Sessions in the database: claims, owners and expiry."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.api.http.context import services_of
from gateway.app import create_app
from gateway.errors import SessionBusy, SessionNotFound, StoreError, TurnStopped
from gateway.settings import Settings
from gateway.store.database import DELETE_BATCH, Store, utc_now
from gateway.store.models import Session, SessionMessage
from gateway.store.sessions import SessionClaims, SessionExpiry, Sessions, TurnResult, new_session_id
from tests.support.recorded import assistant, user

HALF_AN_HOUR = SessionExpiry(timedelta(minutes=30))
NEVER = SessionExpiry(None)
ANSWER = TurnResult(messages=[user("q"), assistant("a")], input_tokens=3, output_tokens=2, cost=0.5)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/gateway.db", busy_seconds=0.01, pauses=(0.01,))
    store.open()
    yield store
    store.close()


@pytest.fixture
def sessions(store: Store) -> Sessions:
    return Sessions(store, HALF_AN_HOUR)


@pytest.fixture
def claims(store: Store) -> SessionClaims:
    return SessionClaims(store, HALF_AN_HOUR)


def change(store: Store, session_id: str, **values: Any) -> None:
    store.write(lambda db: Session.update(**values).where(Session.id == session_id).execute(db))


def count(store: Store, model: Any) -> int:
    found: int = store.read(lambda db: model.select().count(db))
    return found


def idle_for(store: Store, session_id: str, **time: float) -> None:
    change(store, session_id, updated_at=utc_now() - timedelta(**time))


# Claims


def test_session_runs_one_turn_at_a_time(sessions: Sessions, claims: SessionClaims) -> None:
    session = sessions.create("me")
    assert not session.is_running
    claims.claim(session.id, "me", "turn1")
    assert sessions.get(session.id, "me").is_running
    with pytest.raises(SessionBusy):
        claims.claim(session.id, "me", "turn2")
    claims.finish("turn1", TurnResult())
    claims.claim(session.id, "me", "turn2")


def test_claim_that_is_not_renewed_expires(sessions: Sessions, claims: SessionClaims, store: Store) -> None:
    session = sessions.create("me")
    SessionClaims(store, HALF_AN_HOUR, lease_seconds=0).claim(session.id, "me", "dead")
    claims.claim(session.id, "me", "next")
    assert claims.find_active(["dead", "next"]) == {"next"}
    with pytest.raises(TurnStopped):
        claims.finish("dead", ANSWER)
    assert sessions.list_messages(session.id) == []
    assert sessions.get(session.id, "me").is_running


def test_renewed_claim_stays_active(sessions: Sessions, claims: SessionClaims, store: Store) -> None:
    session = sessions.create("me")
    claims.claim(session.id, "me", "turn")
    change(store, session.id, running_until=utc_now() - timedelta(seconds=1))
    claims.renew_leases({"turn": 1}.keys())
    assert sessions.get(session.id, "me").is_running


def test_stopped_and_deleted_turns_are_not_active(sessions: Sessions, claims: SessionClaims) -> None:
    stopped, deleted, other = (sessions.create("me").id for _ in range(3))
    for session in (stopped, deleted, other):
        claims.claim(session, "me", f"turn of {session}")
    claims.request_stop(stopped)
    sessions.delete(deleted, "me")
    turns = [f"turn of {session}" for session in (stopped, deleted, other)]
    assert claims.find_active(turns) == {f"turn of {other}"}
    claims.finish(f"turn of {stopped}", TurnResult())
    claims.claim(stopped, "me", "next")
    assert claims.find_active(["next"]) == {"next"}


def test_result_of_a_turn_is_stored(sessions: Sessions, claims: SessionClaims, store: Store) -> None:
    session = sessions.create("me")
    claims.claim(session.id, "me", "1")
    claims.finish("1", ANSWER)
    first = sessions.list_messages(session.id)
    assert [one.message for one in first] == [user("q"), assistant("a")]
    claims.claim(session.id, "me", "2")
    again = TurnResult(
        messages=[user("r"), assistant("b")], keep_until=first[0].id, input_tokens=1, message_count=3
    )
    claims.finish("2", again)
    found = [one.message["content"] for one in sessions.list_messages(session.id)]
    assert found == ["q", "r", "b"]
    record = sessions.get(session.id, "me")
    assert (record.total_tokens, record.total_cost, record.message_count) == (6, 0.5, 3)
    row = store.read(lambda db: SessionMessage.select().where(SessionMessage.id == first[0].id).first(db))
    assert row.role == "user"


# Owners


def test_only_the_owner_finds_a_session(sessions: Sessions, claims: SessionClaims, store: Store) -> None:
    session = sessions.create("me", title="t")
    change(store, session.id, claude_session_id="cli")
    for name in (session.id, "cli"):
        assert sessions.get(name, "me").id == sessions.get(name, None).id == session.id
        for act in (sessions.get, sessions.delete):
            with pytest.raises(SessionNotFound):
                act(name, "you")
        with pytest.raises(SessionNotFound):
            sessions.rename(name, "you", "x")
        with pytest.raises(SessionNotFound):
            claims.claim(name, "you", "turn")
    assert sessions.get(session.id, "me").title == "t"
    assert sessions.list_page("you", None, 1, 10) == ([], 0)
    assert sessions.compute_stats("you")["sessions"] == 0
    assert [sessions.list_page(owner, None, 1, 10)[1] for owner in ("me", None)] == [1, 1]


def test_sessions_of_a_project_are_listed_and_deleted(sessions: Sessions) -> None:
    ours = [sessions.create(owner, project_id="p").id for owner in ("me", "you")]
    other = sessions.create("me").id
    found, total = sessions.list_page("me", "p", 1, 10)
    assert ([one.id for one in found], total) == (ours[:1], 1)
    assert sorted(sessions.delete_project("p")) == sorted(ours)
    assert [one.id for one in sessions.list_page(None, None, 1, 10)[0]] == [other]


def test_admin_key_sees_all_sessions(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gateway.db"
    app = create_app(Settings(require_auth=True, api_keys=("plain",), database_url=url))
    _, admin = services_of(app).keys.create("boss", is_admin=True)
    client = app.test_client()
    session = client.post("/v1/sessions", json={}, headers={"x-api-key": "plain"}).get_json()["id"]
    assert client.get(f"/v1/sessions/{session}", headers={"x-api-key": admin}).status_code == 200
    (listed,) = client.get("/v1/sessions", headers={"x-api-key": admin}).get_json()["data"]
    assert listed["id"] == session
    services_of(app).store.close()


# Expiry


def test_idle_session_expires(sessions: Sessions, claims: SessionClaims, store: Store) -> None:
    old, young = sessions.create("me").id, sessions.create("me").id
    claims.claim(old, "me", "turn")
    claims.finish("turn", ANSWER)
    idle_for(store, old, minutes=31)
    idle_for(store, young, minutes=29)
    with pytest.raises(SessionNotFound):
        sessions.get(old, "me")
    with pytest.raises(SessionNotFound):
        claims.claim(old, "me", "turn")
    assert [one.id for one in sessions.list_page("me", None, 1, 10)[0]] == [young]
    assert sessions.delete_expired() == 1
    assert (count(store, Session), count(store, SessionMessage)) == (1, 0)
    assert sessions.delete_expired() == 0


def test_session_does_not_expire_while_a_turn_runs(
    sessions: Sessions, claims: SessionClaims, store: Store
) -> None:
    session = sessions.create("me").id
    claims.claim(session, "me", "turn")
    idle_for(store, session, hours=1)
    assert sessions.delete_expired() == 0
    assert sessions.get(session, "me").is_running


def test_stored_sessions_never_expire_without_a_timeout(store: Store) -> None:
    sessions, claims = Sessions(store, NEVER), SessionClaims(store, NEVER)
    stored = sessions.create("me")
    unstored = {name: getattr(stored, name) for name in stored.__dataclass_fields__}
    claims.open(type(stored)(**{**unstored, "id": "bare", "is_stored": False}), "turn")
    change(store, "bare", running_until=None)
    for session in (stored.id, "bare"):
        idle_for(store, session, days=400)
    assert sessions.get(stored.id, "me").id == stored.id
    assert sessions.delete_expired() == 1
    assert sessions.get(stored.id, "me").id == stored.id


def test_many_expired_sessions_are_deleted_in_batches(sessions: Sessions, store: Store) -> None:
    old = {"owner": "", "created_at": utc_now(), "updated_at": utc_now() - timedelta(days=1)}
    rows = [{**old, "id": new_session_id()} for _ in range(DELETE_BATCH + 3)]
    store.write(lambda db: [Session.insert(**row).execute(db) for row in rows])
    assert sessions.delete_expired() == len(rows)


# Text that databases reject


def test_text_that_a_database_rejects_is_replaced(sessions: Sessions, claims: SessionClaims) -> None:
    session = sessions.create("me", title="a\ud800b\0", system_prompt="\0")
    shown = sessions.get(session.id, "me")
    assert (shown.title, shown.system_prompt) == ("a?b?", "?")
    for unfit in ("\ud800", "\0"):
        assert sessions.list_page("me", unfit, 1, 10) == ([], 0)
        with pytest.raises(SessionNotFound):
            claims.claim(unfit, "me", "turn")


# Failures


@pytest.mark.parametrize(
    "act",
    [
        lambda s, c: s.create("me"),
        lambda s, c: s.rename("x", "me", "t"),
        lambda s, c: s.delete("x", "me"),
        lambda s, c: s.delete_project("x"),
        lambda s, c: s.delete_expired(),
        lambda s, c: c.claim("x", "me", "turn"),
        lambda s, c: c.renew_leases(["turn"]),
        lambda s, c: c.request_stop("x"),
        lambda s, c: c.finish("turn", ANSWER),
    ],
)
def test_locked_database_is_a_store_error(
    tmp_path: Path, sessions: Sessions, claims: SessionClaims, act: Callable[[Sessions, SessionClaims], Any]
) -> None:
    other = Store(f"sqlite:///{tmp_path}/gateway.db")

    def locked(db: Any) -> None:
        with pytest.raises(StoreError):
            act(sessions, claims)

    other.write(locked)
    other.close()
