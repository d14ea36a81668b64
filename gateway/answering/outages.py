"""Let work in the background survive failures of the database.

For example, in a loop:

    with outage:     # logs the first of several failures in a row
        share()
"""

import logging
from types import TracebackType

from gateway.errors import StoreError


class Outage:
    """Ends the block at an error, and logs `problem`. The caller tries again later."""

    def __init__(self, log: logging.Logger, problem: str) -> None:
        self._log = log
        self._problem = problem
        self._is_failing = False

    def __enter__(self) -> None:
        """Begin an attempt."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, StoreError):
            if not self._is_failing:
                self._log.warning("%s; trying again: %s", self._problem, error.__cause__ or error.message)
            self._is_failing = True
        elif isinstance(error, Exception):
            self._log.error("%s because of an unexpected error", self._problem, exc_info=error)
        elif error is None:
            self._is_failing = False
        return isinstance(error, Exception)
