"""`claude-gateway backup` and `restore`: data comes back whole, and nothing is replaced that should not be."""

import json
import os
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from peewee import SqliteDatabase
from playhouse.migrations import Runner

from gateway.command_line.backups.databases import list_known_migrations
from gateway.command_line.group import main
from gateway.store.database import MIGRATIONS, Store
from gateway.store.keys import Keys
from tests.support.sockets import free_port

#: The last migration of release 1.0, after which the package was made.
LAST_RELEASED = "0014_limit_reservations"
HOLD = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); print(db.execute('select 1').fetchone()); input()"
TOTALS = "total_requests, total_tokens, total_cost"
Run = Callable[..., Result]


class Home:
    """The data of a gateway in a folder."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "data/gateway.db"
        self.projects = folder / "data/projects"
        self.archive = folder / "backup.tar.gz"
        self.environ = {
            "DATABASE_URL": f"sqlite:///{self.database}",
            "PROJECT_ROOT": str(self.projects),
            "PORT": str(free_port()),
            "CLAUDE_CODE_API_ENV_FILE": "/nonexistent",
        }

    def open_store(self) -> Store:
        store = Store(self.environ["DATABASE_URL"])
        store.open()
        return store

    def list_key_names(self) -> list[str]:
        store = self.open_store()
        with closing(store):
            return [key.name for key in Keys(store).list()]

    def create_key(self, name: str) -> str:
        store = self.open_store()
        with closing(store):
            return Keys(store).create(name)[1]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def run(home: Home, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)))


def test_backup_of_a_database_in_use_is_restored_whole(home: Home, run: Run) -> None:
    store = home.open_store()
    Keys(store).create("alice")
    (home.projects / "p1/empty").mkdir(parents=True)
    (home.projects / "p1/run.sh").write_text("#!/bin/sh\n")
    (home.projects / "p1/run.sh").chmod(0o755)
    os.link(home.projects / "p1/run.sh", home.projects / "p1/same.sh")
    (home.projects / "p1/link").symlink_to("run.sh")
    os.mkfifo(home.projects / "p1/pipe")
    done = run("backup", home.archive)
    store.close()
    assert done.exit_code == 0, done.output
    assert home.archive.stat().st_mode & 0o077 == 0
    home.create_key("later")
    (home.projects / "p1/run.sh").write_text("changed")
    done = run("restore", home.archive)
    assert done.exit_code == 0, done.output
    assert home.list_key_names() == ["alice"]
    project = home.projects / "p1"
    assert sorted(path.name for path in project.iterdir()) == ["empty", "link", "run.sh", "same.sh"]
    assert (project / "run.sh").read_text() == (project / "same.sh").read_text() == "#!/bin/sh\n"
    assert os.access(project / "run.sh", os.X_OK)
    assert (project / "link").readlink() == Path("run.sh")
    (former,) = home.database.parent.glob("projects.before-*")
    assert (former / "p1/run.sh").read_text() == "changed"
    (kept,) = home.database.parent.glob("gateway.db.before-????????-??????")
    with closing(sqlite3.connect(kept)) as db:
        assert db.execute("select count(*) from api_keys").fetchone() == (2,)
    assert str(kept) in done.output
    assert [path.name for path in home.archive.parent.glob(".gateway-*")] == []


def test_backup_is_restored_where_nothing_is_yet(home: Home, run: Run, tmp_path: Path) -> None:
    home.create_key("alice")
    assert run("backup", home.archive, "--no-projects").exit_code == 0
    other = Home(tmp_path / "other")
    done = CliRunner().invoke(main, ["restore", str(home.archive)], env=other.environ)
    assert done.exit_code == 0, done.output
    assert other.list_key_names() == ["alice"]
    assert "kept" not in done.output


def test_backup_of_the_last_release_is_brought_up_to_date(home: Home, run: Run) -> None:
    home.database.parent.mkdir()
    db = SqliteDatabase(str(home.database))
    Runner(db, str(MIGRATIONS)).up(LAST_RELEASED)
    columns = "id, key_hash, prefix, name, is_admin, is_active, created_at, limits, " + TOTALS
    values = "'key_1', 'hash', 'sk-', 'alice', 0, 1, 1.0, '{}', 0, 0, 0"
    with closing(sqlite3.connect(home.database)) as old, old:
        old.execute(f"insert into api_keys ({columns}) values ({values})")
    db.close()
    assert run("backup", home.archive).exit_code == 0
    home.database.unlink()
    assert run("restore", home.archive).exit_code == 0
    assert home.list_key_names() == ["alice"]
    with closing(sqlite3.connect(home.database)) as new:
        applied = [name for (name,) in new.execute("select name from schema_migration")]
    assert applied == list_known_migrations()


def test_migrations_since_the_last_release_only_add(tmp_path: Path) -> None:
    """The last release can use the database of this one, so that an upgrade can be taken back (docs/upgrade.md)."""

    def read_columns(db: sqlite3.Connection, table: str) -> dict[str, tuple[str, bool]]:
        """Return the columns with their types, and whether each row needs a value."""
        rows = db.execute(f"pragma table_info({table})")
        return {
            name: (kind, bool(full and default is None and not key))
            for _, name, kind, full, default, key in rows
        }

    def read_tables(path: Path) -> dict[str, dict[str, tuple[str, bool]]]:
        with closing(sqlite3.connect(path)) as db:
            names = [name for (name,) in db.execute("select name from sqlite_master where type = 'table'")]
            return {name: read_columns(db, name) for name in names}

    found = []
    for target in (LAST_RELEASED, None):
        path = tmp_path / f"{target}.db"
        db = SqliteDatabase(str(path))
        Runner(db, str(MIGRATIONS)).up(target)
        db.close()
        found.append(read_tables(path))
    released, now = found
    for table, columns in released.items():
        assert now[table].items() >= columns.items()
        added = now[table].keys() - columns.keys()
        assert not any(now[table][name][1] for name in added), table


def test_restore_is_refused_while_the_database_is_open(home: Home, run: Run) -> None:
    home.create_key("alice")
    assert run("backup", home.archive).exit_code == 0
    command = [sys.executable, "-c", HOLD, str(home.database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdout
        user.stdout.readline()
        refused = run("restore", home.archive)
        user.communicate(b"\n")
    assert refused.exit_code == 1
    assert f"in use by pid {user.pid}" in refused.output
    assert not list(home.database.parent.glob("*.before-*"))
    assert run("restore", home.archive).exit_code == 0


def write_backup(home: Home, *entries: tuple[str, bytes], **changes: object) -> None:
    manifest = {
        "format": 1,
        "gateway": "9.9.9",
        "created_at": "2026-01-01T00:00:00+00:00",
        "database": "gateway.db",
        "migrations": [],
        "has_projects": False,
        **changes,
    }
    with tarfile.open(home.archive, "w:gz") as archive:
        for name, data in (("manifest.json", json.dumps(manifest).encode()), *entries):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, BytesIO(data))


@pytest.mark.parametrize(
    ("entries", "changes", "words"),
    [
        ((), {"format": 2}, "Install version 9.9.9"),
        ((), {"migrations": ["9999_later"]}, "does not know its data (migration 9999_later)"),
        ((), {"database": "gateway.dump"}, "cannot be restored into PostgreSQL"),
        ((("gateway.db", b"no database"),), {}, "is damaged"),
        ((("../gateway.db", b""),), {}, "leads out of the folder"),
        ((), {"surprise": 1}, "is not a whole backup"),
    ],
)
def test_unusable_backup_changes_nothing(
    home: Home, run: Run, entries: tuple[tuple[str, bytes], ...], changes: dict[str, object], words: str
) -> None:
    home.create_key("alice")
    write_backup(home, *entries, **changes)
    refused = run("restore", home.archive)
    assert refused.exit_code == 1
    assert words in " ".join(refused.output.split())
    assert home.list_key_names() == ["alice"]
    assert not list(home.database.parent.glob("*.before-*"))


def test_cut_backup_and_missing_files_are_errors(home: Home, run: Run) -> None:
    missing = run("backup", home.archive)
    assert missing.exit_code == 1
    assert "There is no database" in missing.output
    assert not home.archive.exists()
    home.create_key("alice")
    assert run("backup", home.archive).exit_code == 0
    assert "already exists" in run("backup", home.archive).output
    whole = home.archive.read_bytes()
    home.archive.write_bytes(whole[: len(whole) // 2])
    assert "is not a whole backup" in run("restore", home.archive).output
    assert run("restore", home.archive.parent / "other.tar.gz").exit_code == 1
    assert home.list_key_names() == ["alice"]
