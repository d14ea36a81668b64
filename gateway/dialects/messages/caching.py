"""Read how long a client wants its prompt to be cached. The CLI itself decides where to put the marks.

>>> read_lifetime({"system": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]})
'1h'
"""

from collections.abc import Iterator
from typing import Any

from gateway.serving import CacheLifetime


def read_lifetime(body: dict[str, Any]) -> CacheLifetime | None:
    """Return the longest lifetime that a mark of the request names; None if none does."""
    lifetimes = {_lifetime(holder.get("cache_control")) for holder in _holders(body)}
    if "1h" in lifetimes:
        return "1h"
    return "5m" if "5m" in lifetimes else None


def _lifetime(mark: Any) -> Any:
    lifetime = mark.get("ttl") if isinstance(mark, dict) else None
    return lifetime if isinstance(lifetime, str) else None


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
