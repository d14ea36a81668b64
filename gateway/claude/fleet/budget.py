"""The budget of a worker's processes, MAX_PROCESSES: one for running turns, parked conversations and the warm pools.

A running turn always gets its process: parked conversations make room for it, then warm processes. The minimum size of
a warm pool has priority over parked conversations too. Processes that a pool adds for a burst of demand only use free
room. For example:

    budget.make_room()                       # for the process of a running turn
    budget.allows_start("default", is_urgent=False)      # may the warm pool grow?
"""

import time

import gevent

from gateway.claude.cli.process import Process, count_living
from gateway.claude.fleet.memory_guard import MemoryGuard
from gateway.claude.fleet.parked import ParkedConversations
from gateway.claude.fleet.recycling import Recycling
from gateway.claude.fleet.seats import Seats
from gateway.claude.fleet.wait_queue import Slots
from gateway.cores import count_cores

ROOM_SECONDS = 1.0  # the longest wait for a process that makes room


class ProcessBudget:
    """Keeps the processes within `max_processes`. `connect` completes it."""

    def __init__(self, max_processes: int, slots: Slots, parked: ParkedConversations) -> None:
        self._max_processes = max_processes
        self._slots = slots
        self._parked = parked

    def connect(self, seats: Seats, recycling: Recycling, guard: MemoryGuard) -> None:
        """Add the parts that need the budget themselves."""
        self._seats, self._recycling, self._guard = seats, recycling, guard

    @property
    def process_count(self) -> int:
        """The number of processes that exist or are about to."""
        idle = len(self._parked) + self._recycling.count
        return self._slots.used + idle + self._seats.process_count

    def allows_start(self, account: str, is_urgent: bool) -> bool:
        """Return True if the account's pool may start a process.

        An urgent start evicts a parked conversation if necessary. If a turn waits, it also ends a warm process of
        another account.
        """
        if self._guard.is_short and not (self._seats.waiting_count and count_living() == 0):
            return False  # a turn waits for the end of another, and one process is always possible
        pool = self._seats[account].pool
        is_waiting = pool.waiting_count > 0
        if self._seats.starting_count >= count_cores() and (pool.starting_count or not is_waiting):
            pool.refill_later()  # others start processes now, and they share the cores
            return False
        if self.process_count < self._max_processes:
            return True
        return is_urgent and (self._parked.evict() or (is_waiting and self._end_warm()))

    def make_room(self) -> None:
        """Evict parked conversations and then warm processes until the process of a running turn fits."""
        self._trim()
        self.await_room()

    def resize(self, max_processes: int) -> None:
        """Change the largest number of processes. Idle ones that are too many end."""
        self._max_processes = max_processes
        self._trim()

    def _trim(self) -> None:
        """Evict parked conversations and then warm processes until all processes fit, if there are enough of them."""
        self.trim_parked()
        while self.process_count > self._max_processes and self._end_warm():
            pass

    def await_room(self) -> None:
        """Wait for the end of a process that is making room, so that the limit is never exceeded, not even briefly."""
        deadline = time.monotonic() + ROOM_SECONDS
        while count_living() >= self._max_processes and time.monotonic() < deadline:
            gevent.sleep(0.002)

    def trim_parked(self, leaving: int = 0) -> None:
        """Evict parked conversations until all processes fit. `leaving` turns are about to give up their process."""
        while self.process_count - leaving > self._max_processes and self._parked.evict():
            pass

    def give_up(self) -> bool:
        """End the least valuable idle process, because memory is short. Return False if there are no idle ones."""
        return self._parked.evict() or self._seats.give_up()

    def _end_warm(self) -> bool:
        """End a warm process to make room. Return False if no pool has one."""
        process = self._seats.take_ready()
        if process is not None:
            end_process(process)
        return process is not None


def end_process(process: Process) -> None:
    """Kill a process without waiting for its end."""
    process.kill()
    gevent.spawn(process.close)
