"""Compact a conversation for Codex: the model summarizes it, and the summary replaces all but the user's messages.

Codex asks for it at `/v1/responses/compact`. Newer versions send an item `compaction_trigger` at the end of a request
for a response, whose only item is then the compaction.

https://platform.openai.com/docs/api-reference/responses/compact. For example, the output of a compacted conversation:

    [{"type": "message", "role": "user", …}, {"type": "compaction", "id": "cmp_…", "encrypted_content": …}]
"""

import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from gateway.dialects.common.answers import incomplete_answer
from gateway.dialects.common.compaction import write_summary
from gateway.dialects.common.json_types import Body, Item
from gateway.dialects.common.stored_files import FileReader
from gateway.dialects.responses.builder import FIELD_NAMES, usage_object
from gateway.dialects.responses.items import complete_items
from gateway.dialects.responses.request import ResponsesRequest, parse_request
from gateway.lenient_json import dumps
from gateway.turn import Done, Event, Retracted, Text, ToolChoice

PROMPT = (
    "The conversation above is about to be replaced by a summary, because it has become too long. Write this summary "
    "for the model that continues the work and sees nothing else of the conversation. State the goal and every "
    "instruction of the user that still holds, the decisions and facts that were found, with exact names, paths and "
    "values, the finished work, and the next steps. Write only the summary, and call no tool."
)
#: The type of the item that asks for a compaction.
TRIGGER = "compaction_trigger"
#: The user's newest messages stay as they are, up to this many bytes of JSON.
MAX_KEPT_BYTES = 80_000


def parse_compaction(
    body: Body, given: Sequence[Item], earlier: Sequence[Item], read_file: FileReader | None = None
) -> ResponsesRequest:
    """Translate a request to compact the conversation `earlier` plus `given`. Raises as `parse_request` does."""
    asked = [{"role": "user", "content": PROMPT}]
    parsed = parse_request(body, asked, [*earlier, *given], read_file)
    turn = replace(parsed.turn, tool_choice=ToolChoice("none"), output_schema=None)
    return replace(parsed, turn=turn, compacts=True)


def asks_to_compact(given: Sequence[Any]) -> bool:
    """Return True if the input ends with an item that asks for a compaction instead of an answer."""
    return bool(given) and isinstance(given[-1], dict) and given[-1].get("type") == TRIGGER


class CompactionCollector:
    """Collect the summary of the conversation with these items."""

    field_names = FIELD_NAMES

    def __init__(self, items: Sequence[Item]) -> None:
        self._kept = _find_kept(items)
        self._texts: list[str] = []
        self._done: Done | None = None

    def add(self, batch: Iterable[Event], index: int = 0) -> None:
        """Add events of the answer that is the summary."""
        for event in batch:
            if isinstance(event, Text):
                self._texts.append(event.text)
            elif isinstance(event, Retracted):
                self._texts.clear()
            elif isinstance(event, Done):
                self._done = event

    def body(self) -> Body:
        """Return the compacted conversation. Raises UpstreamError if there is no complete summary."""
        summary = "".join(self._texts).strip()
        if self._done is None or not summary:
            raise incomplete_answer()
        own = secrets.token_hex(16)
        compaction = {"id": f"cmp_{own}", "type": "compaction", "encrypted_content": write_summary(summary)}
        return {
            "id": f"resp_{own}",
            "object": "response.compaction",
            "created_at": int(time.time()),
            "output": [*self._kept, compaction],
            "usage": usage_object(self._done.usage),
        }


def _find_kept(items: Sequence[Any]) -> list[Item]:
    """Return the newest messages of the user that fit, in their order. Clients' items may be anything."""
    kept: list[Item] = []
    room = MAX_KEPT_BYTES
    for item in reversed(items):
        if (
            not isinstance(item, dict)
            or item.get("role") != "user"
            or item.get("type") not in (None, "message")
        ):
            continue
        room -= len(dumps(item.get("content")))
        if room < 0:
            break
        kept.append(item)
    return complete_items(kept[::-1])
