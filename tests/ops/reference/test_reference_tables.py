"""The database has the tables and columns of the reference."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store.database import Store

COLUMNS = {
    "projects": "id name description path created_at updated_at is_active",
    "sessions": "id project_id title model system_prompt created_at updated_at is_active total_tokens total_cost "
    "message_count",
    "messages": "id session_id role content metadata created_at input_tokens output_tokens cost",
    "api_keys": "id key_hash name is_active created_at last_used_at total_requests total_tokens total_cost",
}


def test_tables_and_columns_of_the_reference_exist(tmp_path: Path) -> None:
    file = tmp_path / "gateway.db"
    store = Store(f"sqlite:///{file}")
    store.open()
    store.close()
    with closing(sqlite3.connect(file)) as db:
        for table, columns in COLUMNS.items():
            existing = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
            assert existing >= set(columns.split()), table
        insert = "insert into projects values ('{}', '', 'x', null, 'same', '{{}}', 1, 1, 1)"
        db.execute(insert.format("a"))
        with pytest.raises(sqlite3.IntegrityError, match="path"):
            db.execute(insert.format("b"))


def test_session_added_by_an_older_worker_is_active(tmp_path: Path) -> None:
    """During a restart, workers of an older release that do not know the column still add sessions."""
    file = tmp_path / "gateway.db"
    store = Store(f"sqlite:///{file}")
    store.open()
    store.close()
    names = "id, owner, is_stored, created_at, updated_at, stop_requested, total_tokens, total_cost, message_count"
    with closing(sqlite3.connect(file)) as db:
        db.execute(f"insert into sessions ({names}) values ('s', '', 1, 1, 1, 0, 0, 0, 0)")
        assert db.execute("select is_active from sessions").fetchall() == [(1,)]
