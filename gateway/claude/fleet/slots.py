"""How many turns run at once, with a short fair queue before them."""

from __future__ import annotations

from gateway.claude.fleet.wait_queue import Line, Ticket
from gateway.errors import TooManyTurns

RETRY_AFTER_SECONDS = 2.0


class Slots:
    """`limit` turns at once; up to `queue` more wait for `patience` seconds each, in the order they came."""

    def __init__(self, limit: int, queue: int, patience: float) -> None:
        self.limit = limit
        self.used = 0
        self._queue = queue
        self._patience = patience
        self._line: Line[bool] = Line()

    @property
    def waiting(self) -> int:
        """How many turns stand in the queue."""
        return len(self._line)

    def acquire(self, ticket: Ticket[bool]) -> None:
        """Take a slot, waiting in line. Raises TooManyTurns, or what the ticket is cancelled with."""
        if self.used < self.limit and not self.waiting:
            self.used += 1
            return
        if self.waiting >= self._queue:
            raise TooManyTurns(retry_after=RETRY_AFTER_SECONDS)
        self._line.join(ticket)
        try:
            ticket.wait(self._patience)
        except TimeoutError:
            raise TooManyTurns(retry_after=RETRY_AFTER_SECONDS) from None
        finally:
            self._line.leave(ticket)

    def release(self) -> None:
        """Give a slot back; it goes to whoever waits longest."""
        if not self._line.serve(True):
            self.used -= 1
