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


def test_dashboard_session_belongs_to_the_secret_of_its_key(store: Store) -> None:
    keys, sessions = Keys(store), AdminSessions(store)
    key, plain = keys.create("boss", is_admin=True)
    token, other = sessions.open(plain), sessions.open(plain)
    assert keys.find_by_digest(sessions.find_digest(token) or "") == keys.get(key.id)
    sessions.close(token)
    assert sessions.find_digest(token) is None
    assert sessions.find_digest("unknown") is None
    keys.rotate(key.id)
    assert keys.find_by_digest(sessions.find_digest(other) or "") is None


def test_dashboard_session_expires(store: Store, tmp_path: Path) -> None:
    now = datetime(2026, 5, 4, tzinfo=timezone.utc)
    _, plain = Keys(store).create("boss", is_admin=True)
    token = AdminSessions(store, lambda: now).open(plain)
    later = AdminSessions(store, lambda: now + admin_sessions.LIFETIME)
    assert AdminSessions(store, lambda: now + admin_sessions.LIFETIME - timedelta(seconds=1)).find_digest(
        token
    )
    assert later.find_digest(token) is None
    fresh = later.open(plain)
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as db:
        assert db.execute("select token_hash from admin_sessions").fetchall() == [
            (key_secrets.digest_key(fresh),)
        ]


def test_dashboard_sessions_need_the_database(tmp_path: Path) -> None:
    sessions = AdminSessions(Store(f"sqlite:///{tmp_path}/unmigrated.db", pauses=()))
    for ask in (sessions.open, sessions.find_digest, sessions.close):
        with pytest.raises(StoreError):
            ask("x")
