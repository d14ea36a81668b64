"""Limit the number of turns that run at once, with a short fair queue for the others."""

from __future__ import annotations

from gateway.claude.fleet.wait_queue import Ticket, WaitQueue
from gateway.errors import TooManyTurns

RETRY_AFTER_SECONDS = 2.0


class Slots:
    """`limit` turns may run at once. Up to `max_waiting` more wait for up to `max_wait_seconds` each, in order."""

    def __init__(self, limit: int, max_waiting: int, max_wait_seconds: float) -> None:
        self.limit = limit
        self.used = 0
        self._max_waiting = max_waiting
        self._max_wait_seconds = max_wait_seconds
        self._queue: WaitQueue[bool] = WaitQueue()

    @property
    def waiting(self) -> int:
        """The number of turns in the queue."""
        return len(self._queue)

    def acquire(self, ticket: Ticket[bool]) -> None:
        """Take a slot; wait in the queue if none is free. Raises TooManyTurns, or the error of `ticket.cancel`."""
        if self.used < self.limit and not self.waiting:
            self.used += 1
            return
        if self.waiting >= self._max_waiting:
            raise TooManyTurns(retry_after=RETRY_AFTER_SECONDS)
        self._queue.join(ticket)
        try:
            ticket.wait(self._max_wait_seconds)
        except TimeoutError:
            raise TooManyTurns(retry_after=RETRY_AFTER_SECONDS) from None
        finally:
            self._queue.leave(ticket)

    def release(self) -> None:
        """Return a slot. The turn that has waited longest gets it."""
        if not self._queue.serve(True):
            self.used -= 1
