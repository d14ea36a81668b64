"""One budget of processes for running turns, kept conversations and the warm pool.

A running turn always gets its process: a kept conversation gives way. The warm pool's minimum is filled before
conversations are kept; what demand adds to it takes only what is free.
"""

from __future__ import annotations

import gevent

from gateway.claude.fleet.parked import ParkedConversations
from gateway.claude.fleet.slots import Slots
from gateway.claude.fleet.warm_pool import WarmPool


class Budget:
    """At most `most` processes."""

    def __init__(self, most: int, slots: Slots, kept: ParkedConversations) -> None:
        self.most = most
        self.pool: WarmPool | None = None
        self._slots = slots
        self._kept = kept

    @property
    def used(self) -> int:
        """Processes that are there or on their way. A turn that waits for the pool has none yet."""
        pool = self.pool
        warm = pool.idle + pool.starting - pool.wanted if pool else 0
        return self._slots.used + len(self._kept) + warm

    def allows_start(self, *, urgent: bool) -> bool:
        """Whether the pool may start a process; an urgent one (for a turn, or the pool's minimum) makes room."""
        if self.used < self.most:
            return True
        return urgent and self._kept.evict()

    def make_room(self) -> None:
        """For a running turn that is about to start a process of its own: what is kept gives way, then what is warm."""
        self.trim()
        while self.used > self.most and self.pool is not None:
            process = self.pool.take_ready()
            if process is None:
                return
            process.kill()
            gevent.spawn(process.close)

    def trim(self, held: int = 0) -> None:
        """Drop kept conversations until all fit; `held` running turns are about to give their process up."""
        while self.used - held > self.most and self._kept.evict():
            pass
