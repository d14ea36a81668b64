"""Write usage in the background, so that answers never wait for the database and a lock loses no record."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import asdict
from typing import Any

import gevent
from gevent.event import Event

from gateway.errors import StoreError
from gateway.record import Record
from gateway.store.usage import UsageTable

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.1  # a busy worker writes many records at once
BATCH_SIZE = 50  # takes 7 ms, in which no other greenlet runs
MAX_WAITING = 50_000  # about 50 MB
PAUSES = (0.5, 1.0, 2.0, 5.0)  # seconds after the first, second … failure in a row


class UsageWriter:
    """A queue of records, and the greenlet that writes them to the database. It starts with the first record.

    If the database fails, up to `max_waiting` records wait for the next attempt. Records that are lost (the oldest when
    too many wait, or the ones still waiting at the end) are logged with their figures.
    """

    def __init__(
        self, usage: UsageTable, *, max_waiting: int = MAX_WAITING, pauses: tuple[float, ...] = PAUSES
    ) -> None:
        self._usage = usage
        self._max_waiting = max_waiting
        self._pauses = pauses
        self._waiting: deque[Record] = deque()
        self._has_records = Event()
        self._failures = 0
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, record: Record) -> None:
        """Queue a record. This neither waits nor raises."""
        if len(self._waiting) >= self._max_waiting:
            _log_lost(self._waiting.popleft())
        self._waiting.append(record)
        self._has_records.set()
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._write_forever)

    def close(self) -> None:
        """Write the waiting records. Records that cannot be written are logged."""
        if self._greenlet is not None:
            self._greenlet.kill()
        try:
            self.flush()
        except Exception:
            log.exception("usage could not be written at shutdown")
            while self._waiting:
                _log_lost(self._waiting.popleft())

    def flush(self) -> None:
        """Write the waiting records now. If the database fails, raise its error; the records keep waiting."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH_SIZE, len(self._waiting)))]
            try:
                self._usage.add_records(batch)
            except BaseException:  # also when the greenlet is killed while it waits for the lock
                self._waiting.extendleft(reversed(batch))
                raise
            gevent.sleep(0)

    def _write_forever(self) -> None:
        while True:
            self._has_records.wait()
            gevent.sleep(GATHER_SECONDS)
            self._has_records.clear()
            while not self._flush_quietly():
                gevent.sleep(self._pauses[min(self._failures, len(self._pauses)) - 1])

    def _flush_quietly(self) -> bool:
        try:
            self.flush()
        except StoreError as error:
            self._log_failure(error)
        except Exception as error:
            if not self._failures:
                log.exception("usage cannot be written because of an unexpected error")
            self._log_failure(error)
        else:
            if self._failures:
                log.warning("usage can be written again")
                self._failures = 0
        return not self._failures

    def _log_failure(self, error: Exception) -> None:
        if not self._failures:
            log.error(
                "usage cannot be written; records wait for the next attempt: %s", error.__cause__ or error
            )
        self._failures += 1


def _log_lost(record: Record) -> None:
    log.error("the usage of an answer could not be stored", extra=_figures(record))


def _figures(record: Record) -> dict[str, Any]:
    figures = asdict(record)
    figures["started_at"] = record.started_at.isoformat()
    figures |= figures.pop("usage")
    return figures
