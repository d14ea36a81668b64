"""Delete expired rows in the background, at a fixed interval. Queries ignore them before that."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import gevent

from gateway.errors import StoreError

log = logging.getLogger(__name__)


class Sweeper:
    """Calls functions that delete expired rows.

    `sweeps` maps the name of the rows to a function that deletes them and returns their number. It may raise
    StoreError.

    For example:

        Sweeper({"sessions": sessions.delete_expired}, seconds=3600).open()
    """

    def __init__(self, sweeps: Mapping[str, Callable[[], int]], seconds: float) -> None:
        self._sweeps = sweeps
        self._seconds = seconds

    def open(self) -> None:
        """Sweep now, and then once per interval."""
        gevent.spawn(self._sweep_forever)

    def _sweep_forever(self) -> None:
        while True:
            for name, sweep in self._sweeps.items():
                try:
                    log.info("deleted %d expired %s", sweep(), name)
                except StoreError:
                    log.warning(
                        "expired %s could not be deleted; trying again in %.0f s", name, self._seconds
                    )
            gevent.sleep(self._seconds)
