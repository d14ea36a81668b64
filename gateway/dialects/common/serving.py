"""Read how clients of OpenAI's APIs want to be served: `service_tier`, and how long the prompt is cached.

OpenAI's "priority" tier, which it also calls "fast", is the fast mode of Anthropic's models.

>>> read_serving({"service_tier": "priority", "prompt_cache_retention": "24h"}, Notes(long_cache=True))
Serving(fast=True, tier=None, cache='1h', hides_thinking=False, wide_context=False)
"""

from collections.abc import Iterator
from typing import Any

from gateway.dialects.common.adjust import REPAIR
from gateway.dialects.common.json_types import Body
from gateway.dialects.common.where import Notes
from gateway.serving import CacheLifetime, Serving
from gateway.turn import Started

#: The parameters that are read here.
SERVING = frozenset({"service_tier", "prompt_cache_retention", "prompt_cache_options"})

_FIELDS = SERVING | {"reasoning", "thinking"}
_DEFAULT = Serving()
_FAST = ("priority", "fast")
_STANDARD = ("auto", "default", "standard")
_SHORT = ("in_memory", "in-memory")  # minutes to an hour, as in Anthropic's cache
_LONG = "24h"
_BREAKPOINT = "prompt_cache_breakpoint"


def read_serving(body: Body, notes: Notes) -> Serving:
    """Return how the API shall serve the turn. Values without a counterpart are noted as ignored."""
    if _FIELDS.isdisjoint(body):
        return _DEFAULT
    tier = body.get("service_tier")
    if tier not in (None, "", *_STANDARD, *_FAST):
        notes.ignore("service_tier")
    return Serving(
        fast=tier in _FAST, cache=_read_lifetime(body, notes), hides_thinking=_hides_thinking(body)
    )


def served_tier(started: Started) -> dict[str, str]:
    """Return the field that tells that an answer is in fast mode; nothing for all others."""
    return {"service_tier": _FAST[0]} if started.speed == "fast" else {}


def _read_lifetime(body: Body, notes: Notes) -> CacheLifetime | None:
    """Return the lifetime of the prompt cache."""
    options, retention = body.get("prompt_cache_options"), body.get("prompt_cache_retention")
    lifetime: CacheLifetime | None = None
    if retention == _LONG:
        lifetime = _long_lifetime("prompt_cache_retention", notes)
    elif retention not in (None, "", *_SHORT):
        notes.ignore("prompt_cache_retention")
    return _read_options(options, body, notes) or lifetime


def _read_options(options: Any, body: Body, notes: Notes) -> CacheLifetime | None:
    """Return the lifetime by `prompt_cache_options`. The mode "explicit" without a breakpoint caches nothing."""
    if not isinstance(options, dict):
        if options:
            notes.ignore("prompt_cache_options")
        return None
    if options.get("mode") == "explicit":
        if not any(_BREAKPOINT in part for part in _parts(body)):
            return "off"
        notes.ignore("prompt_cache_options.mode")  # the CLI itself decides what to mark
    if not options.get("ttl"):
        return None
    return _long_lifetime("prompt_cache_options.ttl", notes)


def _long_lifetime(path: str, notes: Notes) -> CacheLifetime | None:
    """Return an hour, the longest that Anthropic's API has, if the operator allows it: it costs more.

    OpenAI's own cache costs the same for a day, so clients ask for it by default: Cursor does.
    """
    if not notes.long_cache:
        notes.ignore(path)
        return None
    notes.repair(REPAIR, path)
    return "1h"


def _parts(body: Body) -> Iterator[Body]:
    """Yield the parts of all messages that may have a breakpoint."""
    for name in ("messages", "input"):
        for item in _objects(body.get(name)):
            yield item
            yield from _objects(item.get("content"))


def _objects(given: Any) -> Iterator[Body]:
    if isinstance(given, list):
        yield from (item for item in given if isinstance(item, dict))


def _hides_thinking(body: Body) -> bool:
    """Return True for OpenRouter's `reasoning.exclude` and Anthropic's `thinking.display` "omitted"."""
    reasoning, thinking = body.get("reasoning") or {}, body.get("thinking") or {}
    return reasoning.get("exclude") is True or thinking.get("display") == "omitted"
