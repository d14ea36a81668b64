"""Usage is written behind the answers' backs: none ever waits for the database, or is lost because it is locked."""

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

GATHER_SECONDS = 0.1  # so that a busy worker writes many at once
BATCH_SIZE = 50  # 7 ms, in which nothing else runs
MAX_WAITING = 50_000  # some 50 MB
PAUSES = (0.5, 1.0, 2.0, 5.0)  # after failures in a row, in seconds


class UsageWriter:
    """A queue of records, and the greenlet that writes them. It starts with the first record.

    What the database does not take is kept, up to `most` records, and tried again. Records that are given up (the
    oldest of too many, or those still waiting at the end) go to the log, with their figures.
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
        """Have it written soon. Waits for nothing and raises nothing."""
        if len(self._waiting) >= self._max_waiting:
            _log_lost(self._waiting.popleft())
        self._waiting.append(record)
        self._has_records.set()
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._write_forever)

    def close(self) -> None:
        """Write what waits; what cannot be written goes to the log."""
        if self._greenlet is not None:
            self._greenlet.kill()
        try:
            self.flush()
        except Exception:
            log.exception("usage could not be written at the end")
            while self._waiting:
                _log_lost(self._waiting.popleft())

    def flush(self) -> None:
        """Write what waits, now. Raises what the database does; then it still waits."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH_SIZE, len(self._waiting)))]
            try:
                self._usage.add_records(batch)
            except BaseException:  # killed in a wait for the lock, too
                self._waiting.extendleft(reversed(batch))
                raise
            gevent.sleep(0)

    def _write_forever(self) -> None:
        while True:
            self._has_records.wait()
            gevent.sleep(GATHER_SECONDS)
            self._has_records.clear()
            while not self._try_to_flush():
                gevent.sleep(self._pauses[min(self._failures, len(self._pauses)) - 1])

    def _try_to_flush(self) -> bool:
        try:
            self.flush()
        except StoreError as error:
            self._note_failure(error)
        except Exception as error:
            if not self._failures:
                log.exception("usage cannot be written, for no known reason")
            self._note_failure(error)
        else:
            if self._failures:
                log.warning("usage is written again")
                self._failures = 0
        return not self._failures

    def _note_failure(self, error: Exception) -> None:
        if not self._failures:
            log.error("usage cannot be written, it is kept and tried again: %s", error.__cause__ or error)
        self._failures += 1


def _log_lost(record: Record) -> None:
    log.error("the usage of an answer is not in the database", extra=_figures(record))


def _figures(record: Record) -> dict[str, Any]:
    figures = asdict(record)
    figures["started_at"] = record.started_at.isoformat()
    figures |= figures.pop("usage")
    return figures
