"""Rules for `cache_control`. Its shape, and the blocks that take it, are checked already.

Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching, and error texts that users reported.
"""

from collections.abc import Iterator
from typing import Any

from .models import Model
from .prompt import Body

MAX_BREAKPOINTS = 4
_ORDER = (
    "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are processed"
    " in the following order: `tools`, `system`, `messages`."
)


def cache_breakpoints(body: Body, _model: Model) -> Iterator[str]:
    """Yield an error for too many breakpoints, or for one that lives longer than an earlier one."""
    found = [
        *_breakpoints("tools", body.get("tools")),
        *_breakpoints("system", body.get("system")),
        *_breakpoints("messages", body["messages"]),
    ]
    # The automatic breakpoint of the whole request takes one of the four places.
    count = len(found) + bool(body.get("cache_control"))
    if count > MAX_BREAKPOINTS:
        yield f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {count}."
    is_short = False
    for where, ttl in found:
        if is_short and ttl == "1h":
            yield f"{where}.cache_control.ttl: {_ORDER}"
        is_short = is_short or ttl != "1h"


def _breakpoints(where: str, items: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(items, list):
        return
    for index, item in enumerate(items):
        content = item.get("content")
        if type(content) is list:
            yield from _breakpoints(f"{where}.{index}.content", content)
        if control := item.get("cache_control"):
            yield f"{where}.{index}", control.get("ttl", "5m")
