"""Copy a SQLite database while gateways use it, and put a copy in its place."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.command_line.backups.archive import BackupError
from gateway.command_line.ports import describe_process, find_users_of_file

NAME = "gateway.db"
COMPANIONS = ("-wal", "-shm")  # SQLite keeps recent changes beside the file


class SqliteDatabase:
    """The database file at `path`."""

    name = NAME

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, target: Path) -> list[str]:
        """Copy the database as it is at this moment, and return the names of its migrations. Writers do not wait."""
        if not self.path.exists():
            raise BackupError(f"There is no database at {self.path.absolute()}.")
        url = f"{self.path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(url, uri=True)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # a single file
        return list_migrations(target)

    def describe_users(self) -> str | None:
        """Return the processes that have the database open, or None."""
        found = [pid for pid in find_users_of_file(self.path) if pid != os.getpid()]
        return ", ".join(map(describe_process, found)) or None

    def replace(self, source: Path, suffix: str) -> str | None:
        """Move the present database aside, and the copy into its place. Return the place of the former one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        former = self.path.with_name(self.path.name + suffix)
        existed = self.path.exists()
        for end in ("", *COMPANIONS):
            present = self.path.with_name(self.path.name + end)
            if present.exists():
                present.rename(former.with_name(former.name + end))
        shutil.move(source, self.path)
        return str(former) if existed else None


def list_migrations(path: Path) -> list[str]:
    """Return the migrations of a database file. Raise BackupError if it is damaged or not the gateway's."""
    try:
        with closing(sqlite3.connect(path)) as db:
            (state,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if state != "ok":
                raise BackupError(f"The database is damaged: {state}")
            return [name for (name,) in db.execute("SELECT name FROM schema_migration ORDER BY name")]
    except sqlite3.DatabaseError as error:
        raise BackupError(f"The database is damaged, or is not the gateway's: {error}") from error
