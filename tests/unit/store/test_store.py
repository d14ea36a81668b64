"""The database: URLs, migrations, locks and errors of the driver, and the table of keys."""

import itertools
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import gevent
import pytest
from peewee import OperationalError

from gateway.errors import KeyNotFound, KeyRevoked, StoreError
from gateway.record import Record
from gateway.store import backends, key_secrets
from gateway.store.backends import hide_password, parse_sqlite_path
from gateway.store.database import MIGRATIONS, Store
from gateway.store.keys import Keys
from gateway.store.usage import UsageTable
from gateway.turn import Usage as Tokens
from tests.support.gateway import ROOT

MIGRATE = "import sys; from gateway.store.database import Store; Store(sys.argv[1]).open()"
UNKNOWN = "key_unknown"


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "gateway.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(url_of(path), busy_seconds=0.01, pauses=(0.01,))
    store.open()
    yield store
    store.close()


@pytest.fixture
def keys(store: Store) -> Keys:
    return Keys(store)


# URLs


@pytest.mark.parametrize(
    ("url", "path"), [("sqlite:///data/x.db", "data/x.db"), ("sqlite:////var/x.db", "/var/x.db")]
)
def test_sqlite_url_names_a_file(url: str, path: str) -> None:
    assert parse_sqlite_path(url) == Path(path)


@pytest.mark.parametrize(
    "url",
    ["", "x.db", "sqlite://x.db", "sqlite:///", "sqlite:///:memory:", "sqlite:///x?a=b", "mysql://h/db"],
)
def test_other_database_url_is_rejected(url: str) -> None:
    with pytest.raises(StoreError, match="expected sqlite:///FILE"):
        Store(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////var/x.db", "sqlite:////var/x.db"),
        ("postgresql://u:secret@h:5432/n", "postgresql://u:…@h:5432/n"),
        ("postgresql://h/n?user=u&password=secret&x=1", "postgresql://h/n?user=u&password=…&x=1"),
    ],
)
def test_database_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert hide_password(url) == shown


# Migrations


def schema(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("select name, sql from sqlite_master order by name").fetchall()


def test_second_open_changes_nothing(store: Store, path: Path) -> None:
    before = schema(path)
    assert "api_keys" in {name for name, _ in before}
    store.open()
    Store(url_of(path)).open()
    assert schema(path) == before


def test_several_processes_can_migrate_at_once(path: Path) -> None:
    command = [sys.executable, "-c", MIGRATE, url_of(path)]
    started = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(2)]
    for process in started:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    with closing(sqlite3.connect(path)) as db:
        applied = [name for (name,) in db.execute("select name from schema_migration")]
    assert applied == sorted(path.stem for path in MIGRATIONS.glob("0*.py"))
    assert Keys(Store(url_of(path))).list() == []


def test_pragmas_of_the_database_suit_gevent(store: Store) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 10}
    assert store.read(lambda db: {name: db.pragma(name) for name in wanted}) == wanted


def test_gunicorn_configuration_does_not_import_the_driver() -> None:
    """If peewee were imported before gevent patches, all greenlets would share one connection."""
    check = "import sys, runpy; runpy.run_path('gunicorn.conf.py'); sys.exit('peewee' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, timeout=60).returncode == 0


# Failures


def calls(keys: Keys, key_id: str, plain: str) -> dict[str, Callable[[], object]]:
    return {
        "create": lambda: keys.create("x"),
        "list": keys.list,
        "get": lambda: keys.get(key_id),
        "change": lambda: keys.change(key_id, {"notes": "x"}),
        "set_hosted_tools": lambda: keys.set_hosted_tools(key_id, ["web_search"]),
        "set_limits": lambda: keys.set_limits(key_id, {"tokens_per_day": 5}),
        "revoke": lambda: keys.revoke(key_id),
        "rotate": lambda: keys.rotate(key_id),
        "find": lambda: keys.find(plain),
        "find_by_digest": lambda: keys.find_by_digest(key_secrets.digest_key(plain)),
        "has_active": keys.has_active,
        "check_accounts": keys.check_accounts,
    }


def test_every_method_of_keys_is_in_the_tests_of_failures(keys: Keys) -> None:
    assert calls(keys, "", "").keys() == {name for name in vars(Keys) if not name.startswith("_")}


@pytest.mark.parametrize("method", calls(Keys(Store("sqlite:///unused.db")), "", ""))
def test_locked_database_is_a_503(store: Store, keys: Keys, path: Path, method: str) -> None:
    key, plain = keys.create("before")
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("pragma locking_mode = exclusive")  # in WAL mode, only this blocks readers
        other.execute("begin immediate")
        other.execute("update api_keys set name = 'locked'")
        with pytest.raises(StoreError) as error:
            calls(keys, key.id, plain)[method]()
        other.execute("rollback")
    assert (error.value.status, error.value.code) == (503, "store_unavailable")
    assert "locked" not in error.value.message
    calls(keys, key.id, plain)[method]()  # works again


def test_write_waits_for_a_short_lock(store: Store, path: Path) -> None:
    patient = Keys(Store(url_of(path), busy_seconds=0.01, pauses=(0.05,) * 20))
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("begin immediate")
        with ThreadPoolExecutor(1) as pool:
            created = pool.submit(patient.create, "late")
            with pytest.raises(StillWaiting):
                created.result(0.1)
            other.execute("rollback")
            assert created.result(5)[0].name == "late"


def test_other_greenlets_run_while_a_write_waits_for_a_lock(path: Path) -> None:
    """Use the gateway's own waiting times, because SQLite's own wait would block all greenlets."""
    store = Store(url_of(path))
    store.open()
    moments: list[float] = []

    def tick() -> None:
        while True:
            moments.append(time.monotonic())
            gevent.sleep(0.005)

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        ticker = gevent.spawn(tick)
        with pytest.raises(StoreError):
            store.write(lambda db: None)
        ticker.kill()
    assert moments[-1] - moments[0] > 1  # it waited
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    assert sum(gap > 0.5 for gap in gaps) == 0, max(gaps)
    store.close()


def test_broken_database_file_is_a_503(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database at all " * 100)
    with pytest.raises(StoreError):
        Store(url_of(path)).open()


def test_folder_that_cannot_be_created_is_a_503(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        Store(url_of(tmp_path / "file" / "x.db")).open()


def test_error_in_a_transaction_rolls_it_back(store: Store, keys: Keys) -> None:
    def work(db: Any) -> None:
        db.execute_sql("delete from api_keys")
        raise KeyNotFound

    keys.create("stays")
    with pytest.raises(KeyNotFound):
        store.write(work)
    assert [key.name for key in keys.list()] == ["stays"]


def test_broken_connection_is_replaced(store: Store, keys: Keys) -> None:
    keys.create("stays")
    with pytest.raises(StoreError):
        store.write(lambda db: db.connection().close())
    assert [key.name for key in keys.list()] == ["stays"]


def test_no_write_is_lost_when_many_processes_write(path: Path, keys: Keys) -> None:
    key, _ = keys.create("shared")
    record = Record(
        "", "", datetime.now(timezone.utc), key_id=key.id, usage=Tokens(output_tokens=2, cost_usd=0.5)
    )

    def write(_: int) -> None:
        store = Store(url_of(path))  # every worker has its own
        for _ in range(25):
            UsageTable(store).add_records([record])
        store.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    found = keys.get(key.id)
    assert (found.total_requests, found.total_tokens, found.total_cost) == (100, 200, 50.0)
    assert found.last_used_at is not None


# Keys


def test_key_is_found_by_its_secret_only(keys: Keys, path: Path) -> None:
    key, plain = keys.create("one", is_admin=True, allowed_models=["haiku"], limits={"requests": 5})
    other, _ = keys.create("two")
    assert plain.startswith(key.prefix)
    assert len(plain) >= 44
    assert keys.find(plain) == keys.get(key.id) == key
    assert (key.is_admin, key.allowed_models, key.limits) == (True, ("haiku",), {"requests": 5})
    assert (other.allowed_models, other.allowed_projects) == (None, None)
    assert keys.find(plain + "x") is keys.find("") is keys.find("\udcff") is None
    stored = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert plain.encode() not in stored


def test_revoked_key_is_not_found(keys: Keys) -> None:
    key, plain = keys.create("one")
    assert keys.has_active()
    assert keys.revoke(key.id).state == "revoked"
    assert keys.find(plain) is None
    assert not keys.has_active()
    with pytest.raises(KeyRevoked):
        keys.rotate(key.id)


def test_expired_key_is_not_found(keys: Keys) -> None:
    now = datetime.now(timezone.utc)
    _, old = keys.create("old", expires_at=now - timedelta(seconds=1))
    assert keys.find(old) is None
    assert not keys.has_active()
    key, young = keys.create("young", expires_at=now + timedelta(hours=1))
    assert keys.find(young) == key


def test_rotated_key_has_a_new_secret_and_the_same_id(keys: Keys) -> None:
    key, old = keys.create("one")
    rotated, new = keys.rotate(key.id)
    assert rotated.id == key.id
    assert keys.find(old) is None
    assert keys.find(new) == rotated


def test_unknown_key_is_an_error(keys: Keys) -> None:
    for call in (keys.get, keys.revoke, keys.rotate, lambda key_id: keys.set_limits(key_id, {})):
        with pytest.raises(KeyNotFound):
            call(UNKNOWN)


# Full disks, and files that are gone


def test_reason_of_a_failure_is_told_although_the_driver_cannot_roll_back(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite has rolled back already when the disk is full."""

    def fill_disk(db: Any) -> None:
        db.execute_sql("ROLLBACK")
        raise OperationalError("database or disk is full")

    with pytest.raises(StoreError, match="The disk of the gateway's database is full") as error:
        store.write(fill_disk)
    assert str(error.value.__cause__) == "database or disk is full"
    assert "cannot rollback" not in caplog.text
    assert store.write(lambda db: 7) == 7


@pytest.mark.parametrize("is_replaced", [False, True])
def test_deleted_database_is_unavailable_until_it_is_back(
    path: Path,
    store: Store,
    keys: Keys,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    is_replaced: bool,
) -> None:
    """Everything that is written after the deletion would be lost at the next restart."""
    monkeypatch.setattr(backends, "IDENTITY_SECONDS", 0)
    keys.create("alice")
    moved = path.rename(path.with_name("moved.db"))
    if is_replaced:
        path.touch()
    for _ in range(2):
        with pytest.raises(StoreError, match="deleted or replaced"):
            keys.create("bob")
    assert caplog.text.count("was deleted or replaced while the gateway is running") == 1
    assert store.problem == "The file of the gateway's database was deleted or replaced."
    moved.rename(path)
    assert [key.name for key in keys.list()] == ["alice"]
    assert "is back" in caplog.text
    assert store.problem is None


def test_check_of_the_file_costs_one_look_per_second(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def count_looks(*_: object) -> None:
        nonlocal looks
        looks += 1

    monkeypatch.setattr(store._backend, "check_file", count_looks)
    for _ in range(100):
        store.read(lambda db: None)
    assert looks <= 2
