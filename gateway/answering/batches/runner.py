"""The greenlet of a worker that carries batches on: it starts their jobs, and answers their items below other requests.

All workers of all gateways with one database share the work. A worker starts an item only while its fleet has a slot to
spare. It looks for work when something happens in this worker, and otherwise at an interval.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

from gateway.answering.batches.callers import BatchCallers
from gateway.answering.batches.item_runner import ItemRunner
from gateway.answering.batches.jobs import BatchJobs
from gateway.answering.caller import Caller
from gateway.answering.limits import RequestLimits
from gateway.errors import InvalidKey, StoreError
from gateway.store.batch_items import ClaimedItem
from gateway.store.batches import IN_PROGRESS, Batch
from gateway.store.database import utc_now

log = logging.getLogger(__name__)

BUSY_SECONDS = 1.0  # the longest pause while there is a batch
IDLE_SECONDS = 10.0  # another worker may have got a batch


class BatchRunner:
    """Carries on all batches. `has_spare_slot` tells whether the fleet has room for an item.

    At most `most_answers` items run at once in this worker; while it is 0, it runs none and does no jobs.
    """

    def __init__(
        self,
        jobs: BatchJobs,
        callers: BatchCallers,
        item_runner: ItemRunner,
        limits: RequestLimits,
        has_spare_slot: Callable[[], bool],
        most_answers: int,
    ) -> None:
        self._batches = jobs.batches
        self._items = jobs.items
        self._jobs = jobs
        self._callers = callers
        self._item_runner = item_runner
        self._limits = limits
        self._has_spare_slot = has_spare_slot
        self.most_answers = most_answers
        self._running: dict[str, Batch] = {}  # by the lease of an item
        self._advancing: set[str] = set()
        self._woken = Event()
        self._greenlet: gevent.Greenlet[..., None] | None = None

    @property
    def running_count(self) -> int:
        """The number of items that this worker is answering."""
        return len(self._running)

    def open(self) -> None:
        """Begin to carry on batches, in the background."""
        self._greenlet = gevent.spawn(self._run_forever)

    def wake(self) -> None:
        """Look for work now."""
        self._woken.set()

    def close(self) -> None:
        """Start nothing more, and give back the items that are running, so that another worker takes them at once."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
        if self._running:
            try:
                self._items.give_back([*self._running])
            except StoreError:
                log.warning("items of batches could not be given back; their leases expire")

    def _run_forever(self) -> None:
        while True:
            self._woken.clear()
            has_work = True
            try:
                has_work = self.most_answers > 0 and self._look_for_work()
            except StoreError:
                log.warning("batches could not be read from the database; trying again")
            except Exception:
                log.exception("batches cannot be carried on because of an unexpected error")
            self._woken.wait(BUSY_SECONDS if has_work else IDLE_SECONDS)

    def _look_for_work(self) -> bool:
        """Start what can be started. Return True if there are batches."""
        batches = self._batches.list_open()
        for batch in batches:
            if _needs_job(batch) and batch.id not in self._advancing:
                self._advancing.add(batch.id)
                gevent.spawn(self._advance, batch)
        self._start_items(deque(batch for batch in batches if _has_items(batch)))
        return bool(batches)

    def _advance(self, batch: Batch) -> None:
        try:
            has_advanced = self._jobs.advance(batch)
        except StoreError:
            log.warning("a job of the batch %s failed because of the database; trying again", batch.id)
        except Exception:
            log.exception("a job of the batch %s failed unexpectedly", batch.id)
        else:
            if has_advanced:
                self.wake()
        finally:
            self._advancing.discard(batch.id)

    def _start_items(self, batches: deque[Batch]) -> None:
        """Start items of the batches in turn, while there is room."""
        while batches and len(self._running) < self.most_answers and self._has_spare_slot():
            batch = batches.popleft()
            caller = self._find_caller(batch)
            if not self._has_room(batch, caller):
                continue
            item = self._items.claim(batch.id)
            if item is not None:
                self._running[item.lease_id] = batch
                gevent.spawn(self._run_item, batch, item, caller)
                batches.append(batch)

    def _run_item(self, batch: Batch, item: ClaimedItem, caller: Caller | InvalidKey) -> None:
        try:
            self._item_runner.run(batch, item, caller)
        except Exception:
            log.exception("an item of the batch %s failed unexpectedly", batch.id)
            self._items.give_back([item.lease_id], is_failed=True)
        finally:
            del self._running[item.lease_id]
            self.wake()

    def _find_caller(self, batch: Batch) -> Caller | InvalidKey:
        try:
            return self._callers.find(batch)
        except InvalidKey as error:
            return error

    def _has_room(self, batch: Batch, caller: Caller | InvalidKey) -> bool:
        """Return False if the client has as many answers at once as its limit allows batches."""
        if isinstance(caller, InvalidKey):
            return True
        most = self._limits.find_client(caller).allowance.answers_at_once
        owners: Counter[Any] = Counter(running.owner for running in self._running.values())
        return not most or owners[batch.owner] < most


def _needs_job(batch: Batch) -> bool:
    return batch.status != IN_PROGRESS or batch.is_overdue or batch.done >= batch.total


def _has_items(batch: Batch) -> bool:
    is_waiting = batch.waits_until is not None and batch.waits_until > utc_now()
    return batch.status == IN_PROGRESS and batch.done < batch.total and not (batch.is_overdue or is_waiting)
