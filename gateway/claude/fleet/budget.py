"""One budget of processes for running turns, parked conversations and the warm pool.

A running turn always gets its process: parked conversations make room for it. The minimum size of the warm pool has
priority over parked conversations too. Processes that the pool adds for a burst of demand only use free room.
"""

from __future__ import annotations

from gateway.claude.fleet.parked import ParkedConversations
from gateway.claude.fleet.slots import Slots


class Budget:
    """Allows at most `limit` processes. The caller passes in the number that the warm pool accounts for."""

    def __init__(self, limit: int, slots: Slots, parked: ParkedConversations) -> None:
        self.limit = limit
        self._slots = slots
        self._parked = parked

    def count_used(self, pool_processes: int) -> int:
        """Return the number of processes that exist or are about to."""
        return self._slots.used + len(self._parked) + pool_processes

    def allows_start(self, pool_processes: int, is_urgent: bool) -> bool:
        """Return True if the pool may start a process. An urgent start evicts a parked conversation if necessary."""
        return self.count_used(pool_processes) < self.limit or (is_urgent and self._parked.evict())

    def trim_parked(self, pool_processes: int, leaving: int = 0) -> None:
        """Evict parked conversations until all processes fit. `leaving` turns are about to give up their process."""
        while self.count_used(pool_processes) - leaving > self.limit and self._parked.evict():
            pass
