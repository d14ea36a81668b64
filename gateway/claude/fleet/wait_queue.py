"""A fair queue of greenlets that wait for something another greenlet hands out, and the slots of turns, which use it.

For example, one greenlet waits for a process and another one serves it:

    queue = WaitQueue[Process]()          queue.serve(process)
    queue.join(ticket)
    process = ticket.wait(timeout=10)
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from gevent import Timeout
from gevent.event import AsyncResult

from gateway.errors import TooManyTurns

RETRY_AFTER_SECONDS = 2.0

T = TypeVar("T")


class Ticket(Generic[T]):
    """The place of one greenlet in a queue. Any greenlet may end its wait with `cancel`."""

    def __init__(self) -> None:
        self._result: AsyncResult[T] = AsyncResult()

    @property
    def is_settled(self) -> bool:
        """True once the ticket was served or canceled."""
        return self._result.ready()

    def serve(self, value: T) -> None:
        """Hand over `value` and wake the waiting greenlet."""
        self._result.set(value)

    def cancel(self, error: Exception) -> None:
        """Make `wait` raise `error`, unless the ticket was served before."""
        if not self._result.ready():
            self._result.set_exception(error)

    def wait(self, timeout: float | None = None) -> T:
        """Return the value that is handed over.

        Raises the error of `cancel`, or TimeoutError after `timeout` seconds (None: never).
        """
        try:
            self._result.get(timeout=timeout)
        except Timeout:
            if not self._result.ready():  # otherwise it was served at the moment of the timeout
                raise TimeoutError from None
        return cast(T, self._result.get())


class WaitQueue(Generic[T]):
    """The tickets that wait, oldest first."""

    def __init__(self) -> None:
        self._tickets: deque[Ticket[T]] = deque()

    def __len__(self) -> int:
        return sum(not ticket.is_settled for ticket in self._tickets)

    def join(self, ticket: Ticket[T]) -> None:
        """Add a ticket at the end."""
        self._tickets.append(ticket)

    def leave(self, ticket: Ticket[T]) -> None:
        """Remove a ticket. Do nothing if it was served or has left already."""
        if ticket in self._tickets:
            self._tickets.remove(ticket)

    def serve(self, value: T) -> bool:
        """Hand `value` to the ticket that has waited longest. Return False if no ticket waits."""
        while self._tickets:
            ticket = self._tickets.popleft()
            if not ticket.is_settled:
                ticket.serve(value)
                return True
        return False

    def fail_all(self, error: Exception) -> None:
        """Make every wait raise `error`."""
        while self._tickets:
            self._tickets.popleft().cancel(error)


class Slots:
    """`limit` turns may run at once. Up to `max_waiting` more wait for up to `max_wait_seconds` each, in order.

    Together, they may have `max_waiting_bytes`, unless only one of them waits.

    Turns of batches wait in a queue of their own, for as long as it takes. They get a slot only while no other turn
    waits and a second slot is free, so that the next request finds one.
    """

    def __init__(
        self, limit: int, max_waiting: int, max_wait_seconds: float, max_waiting_bytes: float = math.inf
    ) -> None:
        self.used = 0
        self._waiting_bytes = 0
        self._queue: WaitQueue[bool] = WaitQueue()
        self._batch_queue: WaitQueue[bool] = WaitQueue()
        self.resize(limit, max_waiting, max_wait_seconds, max_waiting_bytes)

    def resize(
        self, limit: int, max_waiting: int, max_wait_seconds: float, max_waiting_bytes: float = math.inf
    ) -> None:
        """Change the numbers. Turns that wait get additional slots at once; turns that run keep theirs."""
        self.limit = limit
        self._max_waiting = max_waiting
        self._max_wait_seconds = max_wait_seconds
        self._max_waiting_bytes = max_waiting_bytes
        while self.used < self.limit and self._queue.serve(True):
            self.used += 1
        self._serve_batches()

    @property
    def waiting(self) -> int:
        """The number of turns in the queue."""
        return len(self._queue)

    @property
    def has_spare(self) -> bool:
        """True if a turn of a batch may start."""
        return not self.waiting and self.used < max(1, self.limit - 1)

    def acquire(self, ticket: Ticket[bool], measure: Callable[[], int] = lambda: 0) -> None:
        """Take a slot; wait in the queue if none is free. Raises TooManyTurns, or the error of `ticket.cancel`.

        `measure` returns the size of the turn in bytes. It is called only if the turn has to wait.
        """
        if self.used < self.limit and not self.waiting:
            self.used += 1
            return
        size = measure()
        is_too_large = self.waiting > 0 and self._waiting_bytes + size > self._max_waiting_bytes
        if self.waiting >= self._max_waiting or is_too_large:
            raise TooManyTurns(retry_after=RETRY_AFTER_SECONDS)
        self._queue.join(ticket)
        self._waiting_bytes += size
        try:
            ticket.wait(self._max_wait_seconds)
        except TimeoutError:
            raise TooManyTurns(retry_after=RETRY_AFTER_SECONDS) from None
        finally:
            self._waiting_bytes -= size
            self._queue.leave(ticket)

    def acquire_spare(self, ticket: Ticket[bool]) -> None:
        """Take a slot for a turn of a batch; wait until one is to spare. Raises the error of `ticket.cancel`."""
        self._batch_queue.join(ticket)
        self._serve_batches()
        try:
            ticket.wait()
        finally:
            self._batch_queue.leave(ticket)

    def refuse_batches(self, reason: Exception) -> None:
        """Make all turns of batches that wait for a slot raise `reason`."""
        self._batch_queue.fail_all(reason)

    def release(self) -> None:
        """Return a slot. The turn that has waited longest gets it, unless there are now fewer slots."""
        if self.used > self.limit or not self._queue.serve(True):
            self.used -= 1
            self._serve_batches()

    def _serve_batches(self) -> None:
        while self.has_spare and self._batch_queue.serve(True):
            self.used += 1
