"""The database: opened, migrated, and every failure of its driver turned into StoreError.

Nothing may yield inside a transaction, but for the database itself: work is a plain function that gets the database and
returns values, no query that is still to run.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from peewee import OperationalError, PeeweeException
from playhouse.migrations import Runner
from playhouse.pool import MaxConnectionsExceeded

from gateway.errors import StoreError
from gateway.store.backends import T, Work, create_backend

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).with_name("migrations")
BUSY_SECONDS = 0.02  # in which nothing else runs; other workers' transactions are shorter
DELETE_BATCH = 200
PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)  # between the attempts, in seconds


class Store:
    """A database, reached by `read` and `write`. One per process, made after gevent has patched; not for threads."""

    def __init__(
        self, url: str, *, busy_seconds: float = BUSY_SECONDS, pauses: tuple[float, ...] = PAUSES
    ) -> None:
        self._backend = create_backend(url, busy_seconds)
        self._pauses = pauses

    def open(self) -> None:
        """Create or migrate the database. Any number of processes may do so at once. Raises StoreError."""
        self._run_with_retries(self._migrate)

    def read(self, work: Work[T]) -> T:
        """`work(db)`, outside a transaction: for one query. Raises StoreError."""
        return self._run_with_retries(lambda: self._backend.run_connected(work))

    def write(self, work: Work[T]) -> T:
        """`work(db)` in a transaction that has the write lock from its beginning. Raises StoreError.

        Where the lock was not to be had or the connection was lost, `work` is called again: it changes nothing but the
        database.
        """

        def transaction(db: Any) -> T:
            with db.atomic():
                self._backend.take_write_lock()
                return work(db)

        return self._run_with_retries(lambda: self._backend.run_connected(transaction))

    def write_single(self, work: Work[T]) -> T:
        """`work(db)` for one statement that writes, which is a transaction by itself. Raises StoreError."""
        return self.read(work)

    def delete_in_batches(self, model: Any, condition: Callable[[], Any]) -> int:
        """Delete the rows for which `condition()` holds, a few at a time, as others wait meanwhile; how many it were.

        `model` has a key named `id`.
        """

        def work(db: Any) -> int:
            some = model.select(model.id).where(condition()).limit(DELETE_BATCH)
            return int(model.delete().where(model.id.in_(some)).execute(db))

        deleted = 0
        while count := self.write(work):
            deleted += count
            gevent.sleep(0)
        return deleted

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._backend.close()

    def _run_with_retries(self, action: Callable[[], T]) -> T:
        """Driver errors become ours here and nowhere else. The client is told no detail, the log is."""
        try:
            return self._retry(action)
        except (PeeweeException, sqlite3.Error, MaxConnectionsExceeded, OSError) as error:
            log.warning("the database failed: %s: %s", type(error).__name__, error)
            self._backend.close()  # whatever state they are in, the next attempt gets a new one
            raise StoreError(retry_after=1) from error

    def _retry(self, action: Callable[[], T]) -> T:
        for pause in self._pauses:
            try:
                return action()
            except OperationalError as error:
                if not self._backend.is_transient(error):
                    raise
            gevent.sleep(pause)
        return action()

    def _migrate(self) -> None:
        """The lock is held from looking to changing, so the second process finds the work done."""
        with self._backend.migration() as db:
            Runner(db, str(MIGRATIONS)).up()


def run(db: Any, statement: str, *values: Any) -> Any:
    """The cursor of a statement that is written out. Values stand as `?` in it, whatever the driver has for them.

    For what every answer needs: to put a statement together takes peewee five times as long as to run it.
    """
    return db.execute_sql(statement.replace("?", db.param), values)


def rows(db: Any, statement: str, *values: Any) -> list[Any]:
    """The rows of a statement that is written out, as `run` takes it."""
    found: list[Any] = run(db, statement, *values).fetchall()
    return found
