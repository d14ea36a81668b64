"""First come, first served: greenlets that wait for something another greenlet hands out."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar, cast

from gevent import Timeout
from gevent.event import AsyncResult

T = TypeVar("T")


class Ticket(Generic[T]):
    """One greenlet's place in a line. `cancel` ends its wait with an error, from any greenlet."""

    def __init__(self) -> None:
        self._result: AsyncResult[T] = AsyncResult()

    @property
    def settled(self) -> bool:
        """Whether it was served or cancelled."""
        return self._result.ready()

    def serve(self, value: T) -> None:
        """Hand `value` over; the waiting greenlet goes on."""
        self._result.set(value)

    def cancel(self, error: Exception) -> None:
        """Make the wait raise `error`, unless it was served before."""
        if not self._result.ready():
            self._result.set_exception(error)

    def wait(self, timeout: float) -> T:
        """What is handed over; raises the error of `cancel`, or TimeoutError after `timeout` seconds."""
        try:
            self._result.get(timeout=timeout)
        except Timeout:
            if not self._result.ready():  # else it was served in the very moment
                raise TimeoutError from None
        return cast(T, self._result.get())


class Line(Generic[T]):
    """The tickets that wait, oldest first."""

    def __init__(self) -> None:
        self._tickets: deque[Ticket[T]] = deque()

    def __len__(self) -> int:
        return sum(not ticket.settled for ticket in self._tickets)

    def join(self, ticket: Ticket[T]) -> None:
        """Stand at the end."""
        self._tickets.append(ticket)

    def leave(self, ticket: Ticket[T]) -> None:
        """Give the place up; no harm if it was served or has left."""
        if ticket in self._tickets:
            self._tickets.remove(ticket)

    def serve(self, value: T) -> bool:
        """Hand `value` to whoever waits longest; False when nobody does."""
        while self._tickets:
            ticket = self._tickets.popleft()
            if not ticket.settled:
                ticket.serve(value)
                return True
        return False

    def fail(self, error: Exception) -> None:
        """Make every wait raise `error`."""
        while self._tickets:
            self._tickets.popleft().cancel(error)
