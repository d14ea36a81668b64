"""Read how long a client wants its prompt to be cached. The CLI itself decides where to put the marks.

>>> wants_long_cache({"system": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]})
True
"""

from collections.abc import Iterator
from typing import Any


def wants_long_cache(body: dict[str, Any]) -> bool:
    """Return True if a mark of the request lasts an hour."""
    return any(_is_long(holder.get("cache_control")) for holder in _holders(body))


def _is_long(mark: Any) -> bool:
    return isinstance(mark, dict) and mark.get("ttl") == "1h"


def _holders(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the objects that may have a mark."""
    yield body
    yield from _objects(body.get("system"))
    yield from _objects(body.get("tools"))
    for message in _objects(body.get("messages")):
        for part in _objects(message.get("content")):
            yield part
            yield from _objects(part.get("content"))


def _objects(given: Any) -> Iterator[dict[str, Any]]:
    if isinstance(given, list):
        yield from (item for item in given if isinstance(item, dict))
