"""Delete expired rows in the background, at a fixed interval. Queries ignore them before that."""

import logging
from collections.abc import Callable, Mapping
from typing import NoReturn

import gevent

from gateway.errors import StoreError

log = logging.getLogger(__name__)


def sweep_forever(sweeps: Mapping[str, Callable[[], int]], seconds: float) -> NoReturn:
    """Delete expired rows now, and then once per interval. Run this in a greenlet.

    `sweeps` maps the name of the rows to a function that deletes them and returns their number. It may raise
    StoreError.

    For example:

        gevent.spawn(sweep_forever, {"sessions": sessions.delete_expired}, 3600)
    """
    while True:
        for name, sweep in sweeps.items():
            try:
                deleted = sweep()
                log.log(logging.INFO if deleted else logging.DEBUG, "deleted %d expired %s", deleted, name)
            except StoreError:
                log.warning("expired %s could not be deleted; trying again in %.0f s", name, seconds)
        gevent.sleep(seconds)
