"""The kinds of database, and what differs between them.

SQLite as gevent needs it: a wait for a lock happens in C and stops every greenlet, so the driver waits for a moment at
most, and further waits are the Store's.

PostgreSQL's driver waits by gevent, so transactions of several greenlets and machines do meet there. A write takes one
lock for all, which makes it what it is in SQLite: nobody else writes between its reads and its writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from peewee import Database, OperationalError, PostgresqlDatabase, SqliteDatabase
from playhouse.pool import PooledPostgresqlDatabase

from gateway.errors import StoreError

T = TypeVar("T")
Work = Callable[[Any], T]

SQLITE = "sqlite:///"
POSTGRES = ("postgresql://", "postgres://")
ADDRESS = f"DATABASE_URL has to be {SQLITE}FILE or {POSTGRES[0]}USER:PASSWORD@HOST/NAME."

MIGRATION_BUSY_SECONDS = 10.0  # at the start, when there is nobody to be stopped by the wait
WRITE_LOCK, MIGRATION_LOCK = 7_305_001, 7_305_002  # any two numbers that nothing else on the server uses
CONNECT_SECONDS = 5
CONNECTIONS = 16  # of one worker; further greenlets wait for one


class Backend(Protocol):
    """`db` is a database of peewee, which has no types."""

    db: Any

    def run_connected(self, work: Work[T]) -> T:
        """`work(db)`, with a connection that nobody else uses meanwhile."""

    def take_write_lock(self) -> None:
        """Called first in every transaction that writes: from here on nobody else's does."""

    def close(self) -> None:
        """Close the connections that are not in use."""

    def migration(self) -> Any:
        """A context with a connection in a transaction that only one process has at a time."""

    def is_transient(self, error: OperationalError) -> bool:
        """Whether it is worth trying again."""


def create_backend(url: str, busy_seconds: float) -> Backend:
    """The database that a DATABASE_URL names. Raises StoreError for another kind."""
    if url.startswith(POSTGRES):
        return Postgres("postgresql://" + url.partition("://")[2])
    return Sqlite(parse_sqlite_path(url), busy_seconds)


def hide_password(url: str) -> str:
    """A DATABASE_URL to show."""
    return re.sub(r"(?<=:)[^:@/]+(?=@)|(?<=[?&]password=)[^&]*", "…", url)


def parse_sqlite_path(url: str) -> Path:
    """The file that a DATABASE_URL names: `sqlite:///relative.db` or `sqlite:////absolute.db`. Raises StoreError."""
    scheme, _, rest = url.partition("://")
    name = rest.removeprefix("/")
    if scheme != "sqlite" or not rest.startswith("/") or not name or name.startswith(":") or "?" in name:
        raise StoreError(ADDRESS)
    return Path(name)


class Sqlite:
    """A file. Transactions have the write lock from their beginning."""

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self.path = path
        self._options: dict[str, Any] = {"timeout": busy_seconds, "lock_type": "IMMEDIATE"}
        self._pragmas: dict[str, object] = {
            "busy_timeout": round(busy_seconds * 1000),  # first: the next ones may meet a lock
            "journal_mode": "wal",
            "synchronous": 1,
        }
        # One connection, shared by all greenlets: nothing yields while it works. Another thread gets an error.
        self.db = SqliteDatabase(
            str(path), pragmas={**self._pragmas, "foreign_keys": 1}, thread_safe=False, **self._options
        )

    def run_connected(self, work: Work[T]) -> T:
        """As it stays open, what it has read is known until somebody else writes."""
        if self.db.is_closed():
            self.db.connect()
        return work(self.db)

    def close(self) -> None:
        """Close it until it is needed again."""
        self.db.close()

    def take_write_lock(self) -> None:
        """It is had already."""

    @contextmanager
    def migration(self) -> Iterator[Database]:
        """Foreign keys are off, as SQLite wants it for tables that are rebuilt; inside a transaction they cannot be
        switched. Hence a connection of its own."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        patience: dict[str, Any] = {"busy_timeout": round(MIGRATION_BUSY_SECONDS * 1000)}
        options = {**self._options, "timeout": MIGRATION_BUSY_SECONDS}
        db = SqliteDatabase(str(self.path), pragmas={**self._pragmas, **patience}, **options)
        with db.connection_context(), db.atomic():
            yield db

    def is_transient(self, error: OperationalError) -> bool:
        """Somebody else is writing."""
        # Python 3.10 has no error codes of SQLite.
        return "locked" in str(error) or "busy" in str(error)


class Postgres:
    """A server, for several machines. `url` is libpq's, options behind `?` included."""

    def __init__(self, url: str) -> None:
        self._options: dict[str, Any] = {"prefer_psycopg3": True, "connect_timeout": CONNECT_SECONDS}
        self._url = url
        self.db = PooledPostgresqlDatabase(
            url, max_connections=CONNECTIONS, timeout=CONNECT_SECONDS, **self._options
        )

    def run_connected(self, work: Work[T]) -> T:
        """With one of the pool."""
        with self.db.connection_context():
            return work(self.db)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self.db.close_idle()

    def take_write_lock(self) -> None:
        """Until the end of the transaction; writes are short."""
        self.db.execute_sql("SELECT pg_advisory_xact_lock(%s)", (WRITE_LOCK,))

    @contextmanager
    def migration(self) -> Iterator[Database]:
        """The lock goes with the transaction, and with the process."""
        db: Any = PostgresqlDatabase(self._url, **self._options)
        with db.connection_context(), db.atomic():
            db.execute_sql("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
            yield db

    def is_transient(self, error: OperationalError) -> bool:
        """A connection that was lost (the server restarted, say) is replaced by the next attempt."""
        return True
