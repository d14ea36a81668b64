"""Deletes what has expired, now and then, in the background. Until then it is not found either."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import gevent

from gateway.errors import StoreError

log = logging.getLogger(__name__)


class Sweeper:
    """`sweeps` delete what they are named after and say how much it was; they may raise StoreError."""

    def __init__(self, sweeps: Mapping[str, Callable[[], int]], seconds: float) -> None:
        self._sweeps = sweeps
        self._seconds = seconds

    def open(self) -> None:
        """Sweep now, and every so many seconds from now on."""
        gevent.spawn(self._sweep_forever)

    def _sweep_forever(self) -> None:
        while True:
            for name, sweep in self._sweeps.items():
                try:
                    log.info("%d expired %s deleted", sweep(), name)
                except StoreError:
                    log.warning("expired %s could not be deleted", name)
            gevent.sleep(self._seconds)
