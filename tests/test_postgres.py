"""The store on PostgreSQL: several machines share it. Runs where the server's programs are installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gateway.errors import KeyNotFound, StoreError
from gateway.record import Record
from gateway.store.database import MIGRATIONS, Store
from gateway.store.keys import Keys
from gateway.store.leases import DatabaseLeases
from gateway.store.limits_storage import DatabaseStorage
from gateway.store.models import ApiKey
from gateway.store.usage import GROUPS, Usage
from gateway.turn import Usage as Tokens
from tests import postgres
from tests.scripted import ScriptedCli
from tests.support import ROOT, Gateway

MIGRATE = "import sys; from gateway.store.database import Store; Store(sys.argv[1]).open()"


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    place = postgres.programs()
    if place is None:
        pytest.skip("PostgreSQL is not installed")
    with postgres.server(place) as server:
        yield server


@pytest.fixture
def store(server: postgres.Server) -> Iterator[Store]:
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute("drop schema public cascade; create schema public")
    store = Store(server.url)
    store.open()
    yield store
    store.close()


@pytest.fixture
def keys(store: Store) -> Keys:
    return Keys(store)


def test_processes_may_migrate_at_once(server: postgres.Server, store: Store) -> None:
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute("drop schema public cascade; create schema public")
    command = [sys.executable, "-c", MIGRATE, server.url]
    started = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(3)]
    for process in started:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    with psycopg.connect(server.url) as db:
        applied = {name for (name,) in db.execute("select name from schema_migration")}
    assert applied == {path.stem for path in MIGRATIONS.glob("0*.py")}


def test_keys(keys: Keys) -> None:
    key, plain = keys.create("one", is_admin=True, allowed_models=["haiku"], limits={"requests": 5})
    assert keys.find(plain) == keys.show(key.id) == key
    rotated, new = keys.rotate(key.id)
    assert keys.find(plain) is None
    assert keys.find(new) == rotated
    assert keys.list() == [rotated]
    keys.revoke(key.id)
    assert keys.find(new) is None
    with pytest.raises(KeyNotFound):
        keys.show("key_unknown")


def record(key_id: str, tokens: int, model: str = "m") -> Record:
    now = datetime.now(timezone.utc)
    return Record("", "", now, model, key_id, usage=Tokens(output_tokens=tokens, cost_usd=0.5))


def test_nobody_loses_when_many_write(server: postgres.Server, keys: Keys) -> None:
    key, _ = keys.create("shared")
    stores = [Store(server.url) for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: Usage(stores[i % 2]).add([record(key.id, 3_000_000_000)]), range(100)))
    found = keys.show(key.id)
    assert (found.total_requests, found.total_tokens, found.total_cost) == (100, 300_000_000_000, 50.0)
    today = datetime.now(timezone.utc).date()
    for group_by in GROUPS:
        (group,) = Usage(stores[0]).groups(group_by, today - timedelta(1), today)
        assert (group.figures.requests, repr(group.figures.output_tokens)) == (100, "300000000000")
    for store in stores:
        store.close()


def test_what_it_cannot_take_is_replaced(store: Store, keys: Keys) -> None:
    key, _ = keys.create("one")
    Usage(store).add([record(key.id, 1, "claude-\0-\udc00")])
    assert keys.show(key.id).total_requests == 1


def test_a_restart_of_the_server_is_survived(server: postgres.Server, store: Store, keys: Keys) -> None:
    key, plain = keys.create("one")
    server.restart()
    assert keys.find(plain) == key
    server.restart()
    Usage(store).add([record(key.id, 1)])
    assert keys.show(key.id).total_requests == 1


def test_limits_count_in_it(server: postgres.Server, store: Store) -> None:
    storage = DatabaseStorage(store=store)
    with ThreadPoolExecutor(8) as pool:
        let_in = list(pool.map(lambda _: storage.acquire_sliding_window_entry("k", 30, 60), range(80)))
    assert sum(let_in) == 30
    assert [storage.incr("w", 60, 2), storage.incr("w", 60), storage.get("w")] == [2, 3, 3]
    leases = DatabaseLeases(store)
    with ThreadPoolExecutor(8) as pool:
        held = list(pool.map(lambda i: leases.acquire("me", str(i), 5, 60), range(20)))
    assert sum(map(bool, held)) == 5


def test_a_failure_in_a_transaction_undoes_it(store: Store, keys: Keys) -> None:
    def work(db: Any) -> None:
        ApiKey.delete().execute(db)
        raise KeyNotFound

    keys.create("stays")
    with pytest.raises(KeyNotFound):
        store.write(work)
    assert [key.name for key in keys.list()] == ["stays"]


def test_a_server_that_is_not_there_is_a_503() -> None:
    with pytest.raises(StoreError) as error:
        Store("postgresql://u:secret@127.0.0.1:1/none", pauses=()).open()
    assert (error.value.status, "secret" in str(error.value)) == (503, False)


def test_a_gateway_serves_from_it(
    server: postgres.Server, keys: Keys, start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    _, plain = keys.create("client")
    gateway = start_gateway(
        CLAUDE_BINARY_PATH=str(ScriptedCli(tmp_path).path),
        DATABASE_URL=server.url,
        REQUIRE_AUTH="true",
        WEB_CONCURRENCY="2",
    )
    assert gateway.chat().status_code == 401
    gateway.http.headers["authorization"] = f"Bearer {plain}"
    assert gateway.chat().status_code == 200
    server.restart()
    assert gateway.chat().status_code == 200
