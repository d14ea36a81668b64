"""SQLite and PostgreSQL, and the differences between them.

SQLite: the driver waits for a lock in C, which stops every greenlet. It therefore waits for a moment only; the Store
waits longer, between attempts.

PostgreSQL: the driver waits through gevent, so transactions of several greenlets and machines overlap. Every write
takes the same lock, which gives it SQLite's guarantee: nothing else is written between its reads and its writes.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import gevent
from peewee import Database, OperationalError, PostgresqlDatabase, SqliteDatabase
from playhouse.pool import PooledPostgresqlDatabase

from gateway.errors import StoreError
from gateway.store.statements import ADVISORY_LOCK, execute

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Any], T]

SQLITE = "sqlite:///"
POSTGRES = ("postgresql://", "postgres://")
INVALID_URL = f"Invalid DATABASE_URL: expected {SQLITE}FILE or {POSTGRES[0]}USER:PASSWORD@HOST/NAME."

APART_BUSY_SECONDS = 2.0  # a thread may wait for a lock, because nothing waits for the thread
IDENTITY_SECONDS = 1.0  # between checks that the path still leads to the open file
FILE_LOST = "The file of the gateway's database was deleted or replaced."
MIGRATION_BUSY_SECONDS = 10.0  # at the start there are no other greenlets that the wait could stop
WRITE_LOCK, MIGRATION_LOCK = 7_305_001, 7_305_002  # arbitrary numbers that nothing else on the server uses
CONNECT_SECONDS = 5
MAX_CONNECTIONS = 16  # per worker; further greenlets wait for a free one


def create_backend(url: str, busy_seconds: float) -> Sqlite | Postgres:
    """Return the kind of database of a DATABASE_URL. Raise StoreError for another kind of URL."""
    if url.startswith(POSTGRES):
        return Postgres("postgresql://" + url.partition("://")[2])
    return Sqlite(parse_sqlite_path(url), busy_seconds)


def hide_password(url: str) -> str:
    """Return a DATABASE_URL that can be shown. For example, `postgresql://me:…@host/db`."""
    return re.sub(r"(?<=:)[^:@/]+(?=@)|(?<=[?&]password=)[^&]*", "…", url)


def parse_sqlite_path(url: str) -> Path:
    """Return the file of `sqlite:///relative.db` or `sqlite:////absolute.db`. Raise StoreError for other URLs."""
    scheme, _, rest = url.partition("://")
    name = rest.removeprefix("/")
    if scheme != "sqlite" or not rest.startswith("/") or not name or name.startswith(":") or "?" in name:
        raise StoreError(INVALID_URL)
    return Path(name)


class Sqlite:
    """A database file. Transactions hold the write lock from their beginning.

    A file that is deleted or replaced while it is open can still be written, but everything in it is lost when it is
    closed. So nothing is written any more, until the same file is back or the gateway is restarted.
    """

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self.path = path
        self._options: dict[str, Any] = {"timeout": busy_seconds, "lock_type": "IMMEDIATE"}
        self._pragmas: dict[str, object] = {
            "busy_timeout": round(busy_seconds * 1000),  # first, because the next pragmas may meet a lock
            "journal_mode": "wal",
            "synchronous": 1,
        }
        # All greenlets share one connection: none of them yields while it uses it. Another thread gets an error.
        self.db = SqliteDatabase(
            str(path), pragmas={**self._pragmas, "foreign_keys": 1}, thread_safe=False, **self._options
        )
        self._identity: tuple[int, int] | None = None
        self._checked_at = 0.0
        self._is_lost = False

    def run_connected(self, work: Work[T]) -> T:
        """Return `work(db)`. The connection stays open, so SQLite's page cache survives between calls.

        Raise StoreError if the file is lost.
        """
        now = time.monotonic()
        if self._is_lost or self.db.is_closed() or now - self._checked_at >= IDENTITY_SECONDS:
            self._checked_at = now
            self.check_file()
        if self.db.is_closed():
            self.db.connect()
        return work(self.db)

    def run_apart(self, work: Work[T]) -> T:
        """Return `work(db)`, run in a thread with its own connection, while other greenlets run. Raise StoreError."""
        self.check_file()

        def run() -> T:
            pragmas = {**self._pragmas, "foreign_keys": 1, "busy_timeout": round(APART_BUSY_SECONDS * 1000)}
            options = {**self._options, "timeout": APART_BUSY_SECONDS}
            db = SqliteDatabase(str(self.path), pragmas=pragmas, thread_safe=False, **options)
            with closing(db):
                db.connect()
                return work(db)

        result: T = gevent.get_hub().threadpool.apply(run)
        return result

    def check_file(self) -> None:
        """Raise StoreError if the file is lost: the path leads to another file than at the first call, or to none."""
        try:
            stat = self.path.stat()
            found = (stat.st_dev, stat.st_ino)
        except FileNotFoundError:
            found = None
        self._identity = self._identity or found
        is_lost = found != self._identity
        if is_lost and not self._is_lost:
            log.error(
                "the database file %s was deleted or replaced while the gateway is running. All requests that need it "
                "get 503, because what they write would be lost. Put the file back, or restart the gateway to use the "
                "file that is there now, or a new one",
                self.path,
            )
        elif self._is_lost and not is_lost:
            log.warning("the database file %s is back", self.path)
        self._is_lost = is_lost
        if is_lost:
            raise StoreError(FILE_LOST, retry_after=1)

    def close(self) -> None:
        """Close the connection. The next call opens it again."""
        self.db.close()

    def take_write_lock(self) -> None:
        """Do nothing: `BEGIN IMMEDIATE` already holds the write lock."""

    @contextmanager
    def migration(self) -> Iterator[Database]:
        """Yield a connection of its own in a transaction, with foreign keys off.

        SQLite requires them to be off while tables are rebuilt, and they cannot be switched inside a transaction.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        patience: dict[str, Any] = {"busy_timeout": round(MIGRATION_BUSY_SECONDS * 1000)}
        options = {**self._options, "timeout": MIGRATION_BUSY_SECONDS}
        db = SqliteDatabase(str(self.path), pragmas={**self._pragmas, **patience}, **options)
        with db.connection_context(), db.atomic():
            yield db

    def is_transient(self, error: OperationalError) -> bool:
        """Return True if another connection is writing."""
        # Python 3.10 does not expose SQLite's error codes.
        return "locked" in str(error) or "busy" in str(error)


class Postgres:
    """A server that several machines can share. `url` is libpq's, including options after `?`."""

    def __init__(self, url: str) -> None:
        self._options: dict[str, Any] = {"prefer_psycopg3": True, "connect_timeout": CONNECT_SECONDS}
        self._url = url
        self.db = PooledPostgresqlDatabase(
            url, max_connections=MAX_CONNECTIONS, timeout=CONNECT_SECONDS, **self._options
        )

    def run_connected(self, work: Work[T]) -> T:
        """Return `work(db)`, run on a connection of the pool."""
        with self.db.connection_context():
            return work(self.db)

    def run_apart(self, work: Work[T]) -> T:
        """Return `work(db)`. The driver waits through gevent, so it needs no thread."""
        return self.run_connected(work)

    def check_file(self) -> None:
        """Do nothing: the server has the files."""

    def close(self) -> None:
        """Close the connections that are not in use."""
        self.db.close_idle()

    def take_write_lock(self) -> None:
        """Take the lock of all writes, first in every transaction that writes. The transaction's end releases it."""
        execute(self.db, ADVISORY_LOCK, WRITE_LOCK)

    @contextmanager
    def migration(self) -> Iterator[Database]:
        """Yield a connection in a transaction that holds the migration lock. The lock is released with either."""
        db: Any = PostgresqlDatabase(self._url, **self._options)
        with db.connection_context(), db.atomic():
            execute(db, ADVISORY_LOCK, MIGRATION_LOCK)
            yield db

    def is_transient(self, error: OperationalError) -> bool:
        """Return True: the next attempt opens a new connection, for example after a restart of the server."""
        return True
