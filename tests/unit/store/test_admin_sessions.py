"""Sessions of the dashboard in the database."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.store import admin_sessions, key_secrets
from gateway.store.admin_sessions import AdminSessions
from gateway.store.database import Store
from gateway.store.keys import Keys


def test_dashboard_session_ends_with_its_key(store: Store) -> None:
    keys, sessions = Keys(store), AdminSessions(store)
    key, plain = keys.create("boss", is_admin=True)
    token, other = sessions.open(plain), sessions.open(plain)
    assert sessions.find(token) == keys.get(key.id)
    sessions.close(token)
    assert sessions.find(token) is None
    assert sessions.find(other)
    _, plain = keys.rotate(key.id)
    assert sessions.find(other) is None
    token = sessions.open(plain)
    keys.revoke(key.id)
    assert sessions.find(token) is None


def test_dashboard_session_expires(store: Store, tmp_path: Path) -> None:
    now = datetime(2026, 5, 4, tzinfo=timezone.utc)
    _, plain = Keys(store).create("boss", is_admin=True)
    token = AdminSessions(store, lambda: now).open(plain)
    later = AdminSessions(store, lambda: now + admin_sessions.LIFETIME)
    assert AdminSessions(store, lambda: now + admin_sessions.LIFETIME - timedelta(seconds=1)).find(token)
    assert later.find(token) is None
    fresh = later.open(plain)
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as db:
        assert db.execute("select token_hash from admin_sessions").fetchall() == [
            (key_secrets.digest_key(fresh),)
        ]


def test_only_admin_keys_have_dashboard_sessions(store: Store) -> None:
    _, plain = Keys(store).create("alice")
    sessions = AdminSessions(store)
    assert sessions.find(sessions.open(plain)) is None
    assert sessions.find("unknown") is None


def test_dashboard_sessions_need_the_database(tmp_path: Path) -> None:
    sessions = AdminSessions(Store(f"sqlite:///{tmp_path}/unmigrated.db", pauses=()))
    for ask in (sessions.open, sessions.find, sessions.close):
        with pytest.raises(StoreError):
            ask("x")
