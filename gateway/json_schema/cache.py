"""Remember the results of functions of a JSON schema, because clients send the same schemas with every request."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import orjson

# Larger schemas are rare, and remembering hundreds of them would take too much memory.
MAX_CACHED_BYTES = 65_536

Result = TypeVar("Result")


def cached_by_text(maxsize: int) -> Callable[[Callable[[Any], Result]], Callable[[Any], Result]]:
    """Decorate a function of one JSON value to remember its last `maxsize` results. Treat results as read-only."""

    def decorate(function: Callable[[Any], Result]) -> Callable[[Any], Result]:
        @functools.lru_cache(maxsize)
        def remember(text: bytes) -> Result:
            return function(orjson.loads(text))

        @functools.wraps(function)
        def look_up(value: Any) -> Result:
            try:
                text = orjson.dumps(value)
            except TypeError:  # for example NaN, or nested deeper than orjson writes
                return function(value)
            return remember(text) if len(text) <= MAX_CACHED_BYTES else function(value)

        return look_up

    return decorate
