"""Notice idle processes that died, conversations that have expired, and memory that gets short."""

import logging

import gevent

from gateway.claude.cli.spawn import CAN_TELL_END, any_ended
from gateway.claude.fleet.memory_guard import MemoryGuard
from gateway.claude.fleet.parked import ParkedConversations
from gateway.claude.fleet.seats import Seats

log = logging.getLogger(__name__)

MAX_PAUSE_SECONDS = 5.0 if CAN_TELL_END else 0.9  # a dead process leaves the budget within a second
ERROR_PAUSE_SECONDS = 1.0


class IdleWatch:
    """Looks when a process has ended, and twice per second while memory may get short."""

    def __init__(self, parked: ParkedConversations, seats: Seats, guard: MemoryGuard) -> None:
        self._parked = parked
        self._seats = seats
        self._guard = guard
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def open(self) -> None:
        """Watch in the background."""
        self._greenlet = gevent.spawn(self._watch)

    def close(self) -> None:
        """Stop. May be called without `open`."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def _watch(self) -> None:
        while True:
            any_ended.wait(min(self._guard.pause, MAX_PAUSE_SECONDS))
            any_ended.clear()
            try:
                self._look()
            except Exception:  # the next round may work
                log.exception("the idle claude processes could not be checked")
                gevent.sleep(ERROR_PAUSE_SECONDS)

    def _look(self) -> None:
        self._parked.end_lost()
        for seat in self._seats:
            seat.pool.end_lost()
        self._guard.check()
        for seat in self._seats:
            seat.pool.refill_waiting()
