"""The database: opened, migrated, and every failure of its driver turned into StoreError.

SQLite as gevent needs it. A wait for a lock happens in C and stops every greenlet, so the driver waits for a second at
most, and further waits are gevent's. Nothing may yield inside a transaction: work is a plain function that gets the
database and returns values, no query that is still to run.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import gevent
from peewee import OperationalError, PeeweeException, SqliteDatabase
from playhouse.migrations import Runner
from playhouse.pool import MaxConnectionsExceeded, PooledSqliteDatabase

from gateway.errors import StoreError

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Any], T]

MIGRATIONS = Path(__file__).with_name("migrations")
SCHEME = "sqlite:///"
BUSY_SECONDS = 1.0
PAUSES = (0.05, 0.1, 0.2, 0.4)  # between the attempts, in seconds


def path_of(url: str) -> Path:
    """The file that a DATABASE_URL names: `sqlite:///relative.db` or `sqlite:////absolute.db`. Raises StoreError."""
    scheme, _, rest = url.partition("://")
    name = rest.removeprefix("/")
    if scheme != "sqlite" or not rest.startswith("/") or not name or name.startswith(":") or "?" in name:
        raise StoreError(f"DATABASE_URL has to be {SCHEME}FILE, the only kind that is supported.")
    return Path(name)


class Store:
    """A pooled database, reached by `read` and `write`. One per process, made after gevent has patched."""

    def __init__(
        self, url: str, *, busy_seconds: float = BUSY_SECONDS, pauses: tuple[float, ...] = PAUSES
    ) -> None:
        self.path = path_of(url)
        self._busy_seconds = busy_seconds
        self._pauses = pauses
        self._pragmas: dict[str, object] = {
            "busy_timeout": round(busy_seconds * 1000),  # first: the next ones may meet a lock
            "journal_mode": "wal",
            "synchronous": 1,
        }
        self._db = PooledSqliteDatabase(
            str(self.path),
            pragmas={**self._pragmas, "foreign_keys": 1},
            timeout=busy_seconds,
            lock_type="IMMEDIATE",
            max_connections=None,  # nothing yields while it holds one: in a worker there is one at a time
            check_same_thread=False,
        )

    def open(self) -> None:
        """Create or migrate the database. Any number of processes may do so at once. Raises StoreError."""
        self._attempt(self._migrate)

    def read(self, work: Work[T]) -> T:
        """`work(db)`, outside a transaction: for one query. Raises StoreError."""
        return self._attempt(lambda: self._connected(work))

    def write(self, work: Work[T]) -> T:
        """`work(db)` in a transaction that has the write lock from its beginning. Raises StoreError.

        Where the lock was not to be had, `work` is called again: it changes nothing but the database.
        """
        return self._attempt(lambda: self._transacted(work))

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._db.close_idle()

    def _connected(self, work: Work[T]) -> T:
        with self._db.connection_context():
            return work(self._db)

    def _transacted(self, work: Work[T]) -> T:
        with self._db.connection_context(), self._db.atomic():
            return work(self._db)

    def _attempt(self, action: Callable[[], T]) -> T:
        with _wrapped():
            for pause in self._pauses:
                try:
                    return action()
                except OperationalError as error:
                    if not _is_locked(error):
                        raise
                gevent.sleep(pause)
            return action()

    def _migrate(self) -> None:
        """The write lock is held from looking to changing, so the second process finds the work done.

        Foreign keys are off, as SQLite wants it for tables that are rebuilt; inside a transaction they cannot be
        switched. Hence a connection of its own.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = SqliteDatabase(
            str(self.path),
            pragmas=self._pragmas,
            timeout=self._busy_seconds,
            lock_type="IMMEDIATE",
        )
        with db.connection_context(), db.atomic():
            Runner(db, str(MIGRATIONS)).up()


def rows(db: Any, statement: str, *values: Any) -> list[Any]:
    """The rows of a statement that is written out. Values stand as `?` in it, whatever the driver has for them."""
    found: list[Any] = db.execute_sql(statement.replace("?", db.param), values).fetchall()
    return found


@contextmanager
def _wrapped() -> Iterator[None]:
    """Driver errors become ours here and nowhere else. The client is told no detail, the log is."""
    try:
        yield
    except (PeeweeException, sqlite3.Error, MaxConnectionsExceeded, OSError) as error:
        log.warning("the database failed: %s: %s", type(error).__name__, error)
        raise StoreError(retry_after=1) from error


def _is_locked(error: OperationalError) -> bool:
    # Python 3.10 has no error codes of SQLite.
    return "locked" in str(error) or "busy" in str(error)
