"""Encode a reply as the Messages API does: as server-sent events, or as one JSON message."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from .limits import apply_limits
from .prompt import Body, count_tokens, model_of, shows_thinking
from .replies import Block, RawEvent, Reply
from .signature import sign

_DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
    "server_tool_use": ("input_json_delta", "partial_json"),
    "whole": ("", ""),
}


@dataclass(frozen=True)
class Event:
    """One server-sent event, to be sent `wait` seconds after the previous one."""

    name: str
    payload: bytes
    wait: float = 0.0

    @property
    def is_delta(self) -> bool:
        """Return whether the event carries a piece of content."""
        return self.name == "content_block_delta"


def new_id(prefix: str) -> str:
    """Return a new id in the form of the API, for example `msg_01…`."""
    return f"{prefix}_01{uuid.uuid4().hex[:22]}"


def stream(reply: Reply, body: Body) -> Iterator[Event]:
    """Yield the events of the reply to this request, up to the point where its ending interrupts it."""
    if reply.raw:
        yield from map(_raw, reply.raw, _waits(reply))
        return
    yield from _interrupted(_all_events(_prepared(reply, body), body), reply)


def message(reply: Reply, body: Body) -> dict[str, Any]:
    """Return the body of the reply to a request that does not stream."""
    reply = _prepared(reply, body)
    return {
        **_envelope(body),
        "content": [_content(block, block.text, body) for block in reply.blocks],
        "stop_reason": reply.stop_reason,
        "stop_sequence": reply.stop_sequence,
        "usage": _usage(reply, body),
    }


def duration(reply: Reply, body: Body) -> float:
    """Return the seconds that the deltas of the reply take, after its head delay."""
    count = sum(len(block.deltas) for block in apply_limits(reply, body).blocks)
    return reply.first_delay + reply.delay * max(0, count - 1)


def event(name: str, data: dict[str, Any], wait: float = 0.0) -> Event:
    """Return an event whose data repeats its name as `type`."""
    return Event(name, _encode(name, {"type": name, **data}), wait)


def _encode(name: str, data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def _raw(item: RawEvent, wait: float) -> Event:
    if isinstance(item, bytes):
        return Event("raw", item, wait)
    return Event(item[0], _encode(item[0], item[1]), wait)


def _waits(reply: Reply) -> Iterator[float]:
    yield reply.first_delay
    while True:
        yield reply.delay


def _prepared(reply: Reply, body: Body) -> Reply:
    reply = apply_limits(reply, body)
    with_ids = (
        replace(block, id=block.id or new_id("toolu")) if block.kind == "tool_use" else block
        for block in reply.blocks
    )
    return replace(reply, blocks=tuple(with_ids))


def _all_events(reply: Reply, body: Body) -> Iterator[Event]:
    usage = _usage(reply, body)
    started = {**_envelope(body), "content": [], "stop_reason": None, "stop_sequence": None}
    yield event("message_start", {"message": {**started, "usage": {**usage, "output_tokens": 1}}})
    yield event("ping", {})
    waits = _waits(reply)
    for index, block in enumerate(reply.blocks):
        yield from _block(index, block, waits, body)
    stop = {"stop_reason": reply.stop_reason, "stop_sequence": reply.stop_sequence}
    ending: dict[str, Any] = {"delta": stop, "usage": usage}
    if body.get("context_management"):
        ending["context_management"] = {"applied_edits": []}
    yield event("message_delta", ending)
    yield event("message_stop", {})


def _block(index: int, block: Block, waits: Iterator[float], body: Body) -> Iterator[Event]:
    wait = next(waits) if block.deltas else 0.0
    yield event("content_block_start", {"index": index, "content_block": _content(block, "", body)}, wait)
    kind, name = _DELTAS[block.kind]
    wait = 0.0
    for citation in block.citations:
        cited = {"type": "citations_delta", "citation": dict(citation)}
        yield event("content_block_delta", {"index": index, "delta": cited})
    for delta in block.deltas if _is_shown(block, body) else ():
        yield event("content_block_delta", {"index": index, "delta": {"type": kind, name: delta}}, wait)
        wait = next(waits)
    if block.kind == "thinking":
        signature = {"type": "signature_delta", "signature": sign(block.text)}
        yield event("content_block_delta", {"index": index, "delta": signature})
    yield event("content_block_stop", {"index": index})


def _is_shown(block: Block, body: Body) -> bool:
    return block.kind != "thinking" or shows_thinking(body, model_of(body))


def _content(block: Block, written: str, body: Body) -> dict[str, Any]:
    """Return a content block: with all of its text in a message, with no text at the start in a stream."""
    if block.kind == "whole":
        return dict(block.whole)
    if block.kind == "text":
        cited = list(block.citations) if written else []
        return {"type": "text", "text": written, **({"citations": cited} if block.citations else {})}
    if block.kind == "thinking":
        shown = written if _is_shown(block, body) else ""
        return {"type": "thinking", "thinking": shown, "signature": sign(written) if written else ""}
    # Arguments truncated by `max_tokens` are not valid JSON; the API then leaves the input empty.
    return {"type": block.kind, "id": block.id, "name": block.name, "input": _parsed(written)}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {}


def _envelope(body: Body) -> dict[str, Any]:
    return {"id": new_id("msg"), "type": "message", "role": "assistant", "model": model_of(body).id}


def _usage(reply: Reply, body: Body) -> dict[str, Any]:
    return {
        "input_tokens": count_tokens(body),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": max(1, sum(len(block.deltas) for block in reply.blocks)),
        "service_tier": "standard",
        **({"speed": body["speed"]} if body.get("speed") else {}),
        **reply.usage,
    }


def _interrupted(events: Iterator[Event], reply: Reply) -> Iterator[Event]:
    ending, deltas = reply.ending, 0
    for item in events:
        is_due = deltas >= ending.after or item.name == "message_delta"
        if ending.kind != "end" and is_due and item.name not in ("message_start", "ping"):
            break
        yield item
        deltas += item.is_delta
    if ending.kind == "error":
        yield event("error", {"error": {"type": ending.type, "message": ending.message}})
