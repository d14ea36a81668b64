"""The background writer of usage: it batches, waits for a locked database, and logs what it cannot write."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import gevent
import pytest

from gateway.record import Record
from gateway.store.database import Store
from gateway.store.usage import UsageTable, UsageWriter
from tests.support.processes import run_until
from tests.support.usage_records import make_record


class CountingTable(UsageTable):
    """The usage table; it counts attempts to write."""

    attempts = 0

    def add_records(self, records: Iterable[Record]) -> None:
        self.attempts += 1
        super().add_records(list(records))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """Return a store that gives up at once when the database is locked."""
    store = Store(f"sqlite:///{path}", busy_seconds=0.01, pauses=())
    store.open()
    yield store
    store.close()


@pytest.fixture
def usage(store: Store) -> CountingTable:
    return CountingTable(store)


@pytest.fixture
def writer(usage: UsageTable) -> Iterator[UsageWriter]:
    """Return a writer that holds five records and retries soon."""
    writer = UsageWriter(usage, max_waiting=5, pauses=(0.02,))
    yield writer
    writer.close()


@pytest.fixture
def lock(path: Path, store: Store) -> Iterator[sqlite3.Connection]:
    """Lock the database; roll the returned connection back to unlock it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("begin immediate")
        yield connection


def requests_by_model(usage: UsageTable) -> dict[str | None, int]:
    """Return the number of written records per model."""
    today = make_record().started_at.date()
    return {group.name: group.figures.requests for group in usage.sum_by("model", today, today)}


def test_records_are_written_soon(usage: CountingTable, writer: UsageWriter) -> None:
    for _ in range(3):
        writer.put(make_record())
    run_until(lambda: requests_by_model(usage))
    assert requests_by_model(usage) == {"haiku": 3}
    assert len(writer) == 0


def test_records_wait_for_a_locked_database(
    usage: CountingTable, writer: UsageWriter, lock: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    writer.put(make_record(model="first"))
    run_until(lambda: "usage cannot be written" in caplog.text)
    writer.put(make_record(model="second"))
    attempts = usage.attempts
    run_until(lambda: usage.attempts >= attempts + 3)
    assert len(writer) == 2
    lock.execute("rollback")
    run_until(lambda: "usage can be written again" in caplog.text)
    assert requests_by_model(usage) == {"first": 1, "second": 1}
    assert caplog.text.count("usage cannot be written") == 1


def test_oldest_record_goes_to_the_log_when_there_are_too_many(
    writer: UsageWriter, lock: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(6):
        writer.put(make_record(request_id=f"r{number}"))
    assert len(writer) == 5
    (lost,) = [record for record in caplog.records if "could not be stored" in record.message]
    assert vars(lost)["request_id"] == "r0"


def test_unwritten_records_go_to_the_log_at_the_end(
    usage: CountingTable, lock: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    writer = UsageWriter(usage)
    writer.put(make_record(key_id="a"))
    run_until(lambda: "usage cannot be written" in caplog.text)
    writer.close()
    (lost,) = [vars(record) for record in caplog.records if "could not be stored" in record.message]
    assert (lost["key_id"], lost["output_tokens"], lost["cost_usd"]) == ("a", 4000, 0.25)


def test_closing_writes_all_records_that_wait(usage: CountingTable) -> None:
    writer = UsageWriter(usage)
    for _ in range(250):
        writer.put(make_record())
    writer.close()
    assert requests_by_model(usage) == {"haiku": 250}


def test_write_that_is_running_at_the_end_is_not_repeated(store: Store) -> None:
    """PostgreSQL may have committed although its reply has not arrived."""

    class SlowTable(UsageTable):
        is_writing = False

        def add_records(self, records: Iterable[Record]) -> None:
            super().add_records(list(records))
            self.is_writing = True
            gevent.sleep(0.05)

    usage = SlowTable(store)
    writer = UsageWriter(usage)
    writer.put(make_record())
    run_until(lambda: usage.is_writing)
    writer.close()
    assert requests_by_model(usage) == {"haiku": 1}
