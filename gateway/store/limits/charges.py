"""Charges to budgets, which are not lost while their counters are unreachable.

A charge that fails is tried again every second until it is counted or its window is over. For example:

    charges = Charges(storage)
    charges.add(Charge("usd/day/2026-11-27T00:00/key_1", ends_at=1_795_824_000.0, amount=12_000))
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import gevent
from limits.errors import StorageError
from limits.storage import Storage

from gateway.errors import StoreError

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Charge:
    """An amount to add to the counter of a window, which ends at `ends_at` (seconds since 1970)."""

    key: str
    ends_at: float
    amount: int


class Charges:
    """Adds charges to their counters. `now` returns seconds since 1970."""

    def __init__(self, storage: Storage, now: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._now = now
        self._unpaid: deque[Charge] = deque()
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def __len__(self) -> int:
        return len(self._unpaid)

    def add(self, charge: Charge) -> None:
        """Count a charge now, or as soon as the counters can be reached."""
        if self._apply(charge):
            return
        self._unpaid.append(charge)
        if not self._greenlet:
            log.warning("the cost of an answer could not be charged to a budget; it is tried again")
            self._greenlet = gevent.spawn(self._retry)

    def close(self) -> None:
        """Try once more. The log names the charges that are lost."""
        if self._greenlet is not None:
            self._greenlet.kill()
        for charge in self._unpaid:
            if not self._apply(charge):
                log.error("a charge of %d to the budget %s was lost", charge.amount, charge.key)
        self._unpaid.clear()

    def _retry(self) -> None:
        while self._unpaid:
            gevent.sleep(RETRY_SECONDS)
            while self._unpaid and self._apply(self._unpaid[0]):
                self._unpaid.popleft()
        log.info("all charges to budgets are counted again")

    def _apply(self, charge: Charge) -> bool:
        """Count a charge. Return False if the counters failed."""
        seconds = math.ceil(charge.ends_at - self._now())
        if seconds <= 0:  # the window is over, and the next one starts from 0
            return True
        try:
            self._storage.incr(charge.key, seconds, charge.amount)
        except (StoreError, StorageError):
            return False
        return True
