"""Ends of turns that could not be stored at once: they are tried again until the database takes them."""

import logging
from collections import Counter
from collections.abc import Callable

import gevent

from gateway.errors import GatewayError, StoreError

log = logging.getLogger(__name__)

# Seconds between attempts to store a turn while the database is unavailable.
FINISH_PAUSES = (1, 2, 5, 10, 30, 60)


class LateEndings:
    """The ends of turns that this worker stores in the background."""

    def __init__(self) -> None:
        self._failing: Counter[str] = Counter()

    def store(self, finish: Callable[[], None], session_id: str) -> None:
        """Call `finish` in the background until the database takes it, with growing pauses."""
        gevent.spawn(self._finish_patiently, finish, session_id)

    def is_failing(self, session_id: str) -> bool:
        """Return True if the end of a turn of the session waits because the database has failed."""
        return bool(self._failing[session_id])

    def _finish_patiently(self, finish: Callable[[], None], session_id: str) -> None:
        has_failed = False
        for pause in (*FINISH_PAUSES, 0):
            try:
                finish()
                break
            except StoreError as error:
                log.warning(
                    "the end of a turn of session %s could not be stored: %s",
                    session_id,
                    error.__cause__ or error,
                )
                self._failing[session_id] += not has_failed
                has_failed = True
                gevent.sleep(pause)
            except GatewayError as error:  # the client is gone
                log.info("the end of a turn of session %s was not stored: %s", session_id, error)
                break
        if has_failed:
            self._failing[session_id] -= 1
        self._failing += Counter()  # forget the sessions with zero
