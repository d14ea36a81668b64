"""Let other greenlets run during work that takes long for a large request.

>>> sum(pause_between(range(1000)))
499500
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import gevent

PAUSE_EVERY = 32  # tools; each may have a large schema

T = TypeVar("T")


def pause_between(items: Iterable[T], every: int = PAUSE_EVERY) -> Iterator[T]:
    """Yield the items, and let others run after `every` items. Few items are not worth a pause."""
    for number, item in enumerate(items, 1):
        yield item
        if number % every == 0:
            gevent.sleep(0)
