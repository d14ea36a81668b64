"""Leases: how long they last, and the greenlet that renews all leases of one kind in this worker.

A lease says that a living worker holds something: a slot of a client, a session, a response in the background. The
worker renews its leases for as long as it needs them. If the worker is killed, its leases expire within
LEASE_SECONDS and the thing is free again.

For example, a worker that writes responses in the background:

    keeper = LeaseKeeper(responses.renew_leases, responses.find_active)
    keeper.add("resp_1", on_lost=task.stop)  # called if another worker cancels or deletes the response
    keeper.remove("resp_1")  # the response is finished
"""

import logging
import time
from collections.abc import Callable, Collection, Hashable
from typing import Generic, TypeVar

import gevent

from gateway.errors import StoreError

log = logging.getLogger(__name__)

LEASE_SECONDS = 6.0
RENEW_SECONDS = LEASE_SECONDS / 3  # two renewals may fail before a lease expires
POLL_SECONDS = 0.5  # the time in which a worker notices that it has lost a lease

Key = TypeVar("Key", bound=Hashable)


class LeaseKeeper(Generic[Key]):
    """Renews leases, and reports the lost ones.

    `renew(keys)` extends all leases in one call. `find_active(keys)` returns the keys whose leases are still this
    worker's; without it, no lease counts as lost. Both may raise StoreError: it is logged and they are called again at
    the next poll, because a lease outlasts a short failure. `sleep` and `clock` are replaced in tests; `clock` returns
    seconds.

    One greenlet does all of this. It runs only while there are keys.
    """

    def __init__(
        self,
        renew: Callable[[Collection[Key]], object],
        find_active: Callable[[Collection[Key]], Collection[Key]] | None = None,
        *,
        poll_seconds: float = POLL_SECONDS,
        renew_seconds: float = RENEW_SECONDS,
        sleep: Callable[[float], object] = gevent.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._renew = renew
        self._find_active = find_active
        self._poll_seconds = poll_seconds
        # A timer may fire a little early. Without the tolerance, that renewal would be a whole poll late.
        self._renew_seconds = renew_seconds - poll_seconds / 2
        self._sleep = sleep
        self._clock = clock
        self._renewed_at = 0.0
        self._on_lost: dict[Key, Callable[[], object] | None] = {}
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def add(self, key: Key, on_lost: Callable[[], object] | None = None) -> None:
        """Renew the lease `key`, which was taken just now, until `remove`.

        `on_lost` is called at most once, in the keeper's greenlet, when the lease is no longer active. The key is
        removed then. `on_lost` must neither raise nor wait.
        """
        self._on_lost[key] = on_lost
        if not self._greenlet:  # a greenlet that has ended is false
            self._greenlet = gevent.spawn(self._keep)

    def remove(self, key: Key) -> None:
        """Stop renewing a lease. A key that is not (or no longer) there is ignored."""
        self._on_lost.pop(key, None)

    def _keep(self) -> None:
        self._renewed_at = self._clock()
        while self._on_lost:
            self._sleep(self._poll_seconds)
            keys = set(self._on_lost)
            if not keys:
                return
            try:
                self._renew_if_due(keys)
                lost = keys.difference(self._find_active(keys)) if self._find_active else ()
            except StoreError:
                log.warning("could not renew or check %d lease(s); trying again", len(keys))
                continue
            for key in lost:
                self._report_lost(key)

    def _renew_if_due(self, keys: Collection[Key]) -> None:
        if self._clock() - self._renewed_at >= self._renew_seconds:
            self._renew(keys)
            self._renewed_at = self._clock()

    def _report_lost(self, key: Key) -> None:
        on_lost = self._on_lost.pop(key, None)  # it may have been removed while the database was asked
        if on_lost is not None:
            on_lost()
