"""The database: opening, migrations, transactions, and StoreError for every failure of the driver.

A unit of work is a plain function that gets a peewee database and returns values, not queries:

    store = Store("sqlite:///data/gateway.db")
    store.open()
    store.read(lambda db: ApiKey.select().count(db))  # 0

Work must not switch greenlets inside a transaction, except by waiting for the database.
"""

import logging
import sqlite3
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import gevent
from peewee import OperationalError, PeeweeException
from playhouse.migrations import Runner
from playhouse.pool import MaxConnectionsExceeded

from gateway.errors import StoreError
from gateway.store.backends import T, Work, create_backend

log = logging.getLogger(__name__)
logging.getLogger("peewee.migrations").setLevel(logging.WARNING)  # it has a line for each migration

MIGRATIONS = Path(__file__).with_name("migrations")
BUSY_SECONDS = 0.02  # SQLite waits this long for a lock, and every greenlet with it; transactions are shorter
RETRY_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)  # seconds between attempts, in which other greenlets run
DELETE_BATCH = 200  # rows
DISK_FULL = "The disk of the gateway's database is full. Try again when its operator has made room."


def utc_now() -> datetime:
    """Return the current time, aware and in UTC, as all tables have it."""
    return datetime.now(timezone.utc)


class Store:
    """A database. Each process has one, created after gevent has patched; threads must not share it."""

    def __init__(
        self, url: str, *, busy_seconds: float = BUSY_SECONDS, pauses: tuple[float, ...] = RETRY_PAUSES
    ) -> None:
        self._backend = create_backend(url, busy_seconds)
        self._pauses = pauses

    def open(self) -> None:
        """Create or migrate the database. Several processes may call it at once. Raise StoreError."""
        self._attempt(self._migrate)

    def read(self, work: Work[T]) -> T:
        """Return `work(db)`, which runs queries outside a transaction. Raise StoreError."""
        return self._attempt(lambda: self._backend.run_connected(work))

    def read_large(self, work: Work[T]) -> T:
        """Return `work(db)` like `read`, for queries that look at many rows. Raise StoreError.

        On SQLite they run in a thread with a connection of their own: a million rows take a second.
        """
        return self._attempt(lambda: self._backend.run_apart(work))

    def write(self, work: Work[T]) -> T:
        """Return `work(db)`, run in a transaction that holds the write lock from its beginning. Raise StoreError.

        `work` is called again if the database is locked or the connection drops, so it must have no other side
        effects.
        """

        def run_in_transaction(db: Any) -> T:
            with db.atomic():
                self._backend.take_write_lock()
                return work(db)

        return self._attempt(lambda: self._backend.run_connected(run_in_transaction))

    def write_large(self, work: Work[T]) -> T:
        """Return `work(db)` like `write`, for work that writes megabytes or thousands of rows. Raise StoreError.

        On SQLite it runs in a thread with a connection of its own, because the commit of 9 MB takes 0.2 s.
        """

        def run_in_transaction(db: Any) -> T:
            with db.atomic():
                self._backend.take_write_lock()
                return work(db)

        return self._attempt(lambda: self._backend.run_apart(run_in_transaction))

    def write_single(self, work: Work[T]) -> T:
        """Return `work(db)`, which runs one statement that writes. Raise StoreError.

        A single statement is a transaction of its own, so it needs neither BEGIN and COMMIT nor the write lock.
        """
        return self._attempt(lambda: self._backend.run_connected(work))

    def delete_in_batches(self, model: Any, condition: Callable[[], Any]) -> int:
        """Delete the rows that match `condition()`, in batches so that other writers can proceed.

        `model` has a primary key named `id`. Return the number of deleted rows. Raise StoreError.
        """

        def work(db: Any) -> int:
            batch = model.select(model.id).where(condition()).limit(DELETE_BATCH)
            return int(model.delete().where(model.id.in_(batch)).execute(db))

        deleted = 0
        while count := self.write(work):
            deleted += count
            gevent.sleep(0)
        return deleted

    @property
    def problem(self) -> str | None:
        """The reason why all requests that need the database fail until an operator acts; None if all is well."""
        try:
            self._backend.check_file()
        except StoreError as error:
            return error.message
        return None

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._backend.close()

    def _attempt(self, action: Callable[[], T]) -> T:
        """Call `action`, and turn the driver's errors into StoreError. Details go to the log, not to the client."""
        try:
            return self._retry(action)
        except (PeeweeException, sqlite3.Error, MaxConnectionsExceeded, OSError) as error:
            reason = _find_reason(error)
            log.warning("the database failed: %s: %s", type(reason).__name__, reason)
            self._backend.close()  # the connections may be broken; the next attempt opens new ones
            message = DISK_FULL if "full" in str(reason) else None
            raise StoreError(message, retry_after=1) from reason

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
        # The lock is held while the state is read and changed, so a second process finds nothing left to do.
        with self._backend.migration() as db:
            applied = Runner(db, str(MIGRATIONS)).up()
        if applied:
            log.info("the database is ready: %d migrations ran, up to %s", len(applied), applied[-1])


def _find_reason(error: BaseException) -> BaseException:
    """Return the failure itself, if the driver then failed to roll back.

    SQLite ends the transaction without being told to if the disk is full, for example. peewee's ROLLBACK then fails.
    """
    while "no transaction is active" in str(error) and error.__context__ is not None:
        error = error.__context__
    return error
