"""Apply the limits of a request to a reply: thinking, stop sequences and `max_tokens`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from .prompt import Body, model_of, thinks
from .replies import Block, Reply


def apply_limits(reply: Reply, body: Body) -> Reply:
    """Return the part of a reply that this request gets. One delta counts as one token."""
    if not thinks(body, model_of(body)):
        reply = replace(reply, blocks=tuple(block for block in reply.blocks if block.kind != "thinking"))
    return _up_to_limit(_up_to_stop(reply, body.get("stop_sequences") or []), body.get("max_tokens"))


def _up_to_stop(reply: Reply, sequences: Sequence[str]) -> Reply:
    for index, block in enumerate(reply.blocks):
        found = _first(block.text, sequences) if block.kind == "text" else None
        if found is not None:
            blocks = (*reply.blocks[:index], _shortened(block, block.text.index(found)))
            return replace(reply, blocks=blocks, stop_reason="stop_sequence", stop_sequence=found)
    return reply


def _first(text: str, sequences: Sequence[str]) -> str | None:
    """Return the sequence that is complete first, as a model that writes the text would meet it."""
    ends = ((text.find(item) + len(item), item) for item in sequences if item in text)
    return min(ends, default=(0, None))[1]


def _shortened(block: Block, length: int) -> Block:
    return replace(block, deltas=tuple(_take(block.deltas, length)))


def _take(deltas: Sequence[str], length: int) -> Iterator[str]:
    for delta in deltas:
        if length <= 0:
            return
        yield delta[:length]
        length -= len(delta)


def _up_to_limit(reply: Reply, limit: int | None) -> Reply:
    if limit is None or sum(len(block.deltas) for block in reply.blocks) <= limit:
        return reply
    return replace(
        reply, blocks=tuple(_fitting(reply.blocks, limit)), stop_reason="max_tokens", stop_sequence=None
    )


def _fitting(blocks: Sequence[Block], limit: int) -> Iterator[Block]:
    for block in blocks:
        if limit <= 0:
            return
        yield replace(block, deltas=block.deltas[:limit])
        limit -= len(block.deltas)
