"""Scripted replies: what the stand-in answers, as plain data, and the builders that tests write.

A `Reply` is a list of content blocks, a pace and an ending. Every builder of a successful reply goes through
`blocks`; every builder of a failing one changes the ending of another reply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

ToolCall = tuple[str, Mapping[str, Any]] | tuple[str, Mapping[str, Any], str]
RawEvent = bytes | tuple[str, Mapping[str, Any]]

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_STATUS_OF_TYPE = {kind: status for status, kind in ERROR_TYPES.items()}
_MESSAGES = {
    401: "invalid x-api-key",
    413: "Request exceeds the maximum size",
    429: "This request would exceed your account's rate limit. Please try again later.",
    500: "Internal server error",
    529: "Overloaded",
}
_WORD = re.compile(r"\s*\S+\s*$|\s*\S+|\s+")


@dataclass(frozen=True)
class Block:
    """One content block: its `deltas` (text, thinking or pieces of JSON) and, for a tool, name and id."""

    kind: Literal["text", "thinking", "tool_use"]
    deltas: tuple[str, ...]
    name: str = ""
    id: str = ""

    @property
    def whole(self) -> str:
        """The deltas put together."""
        return "".join(self.deltas)


@dataclass(frozen=True)
class Ending:
    """How a reply ends: in order ("end"), or, after that many deltas, by a cut, silence or an error event.

    `after` -1 means before the response's first byte.
    """

    kind: Literal["end", "cut", "hang", "error"] = "end"
    after: int = 0
    type: str = ""
    message: str = ""


@dataclass(frozen=True)
class Failure:
    """An HTTP error in place of a message."""

    status: int
    type: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """A scripted answer. Times are seconds; `usage` overrides single figures of the default usage.

    `first_delay` passes between `message_start` and the first block, `delay` between deltas, `head_delay`
    before anything at all, as when a request waits in a queue.
    """

    blocks: tuple[Block, ...] = ()
    delay: float = 0.0
    first_delay: float = 0.0
    head_delay: float = 0.0
    stop_reason: str = "end_turn"
    stop_sequence: str | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    ending: Ending = Ending()
    failure: Failure | None = None
    raw: tuple[RawEvent, ...] = ()


def blocks(
    *parts: Block,
    delay: float = 0.0,
    first_delay: float = 0.0,
    head_delay: float = 0.0,
    stop_reason: str | None = None,
    stop_sequence: str | None = None,
    usage: Mapping[str, Any] | None = None,
) -> Reply:
    """A reply of any content blocks; `stop_reason` defaults to "tool_use" when one of them calls a tool."""
    calls_tool = any(part.kind == "tool_use" for part in parts)
    reason = stop_reason or ("tool_use" if calls_tool else "end_turn")
    return Reply(parts, delay, first_delay, head_delay, reason, stop_sequence, usage or {})


def text_block(text: str = "", chunks: Sequence[str] | int | None = None) -> Block:
    """A text block in one delta a word, in that many deltas, or in exactly those deltas."""
    if chunks is None:
        return Block("text", tuple(_WORD.findall(text)))
    if isinstance(chunks, int):
        return Block("text", split(text, chunks))
    if text and "".join(chunks) != text:
        raise ValueError("chunks do not add up to the text")
    return Block("text", tuple(chunks))


def thinking_block(text: str, chunks: Sequence[str] | int | None = None) -> Block:
    """A thinking block, split as `text_block` splits; its signature is added when it is sent."""
    return replace(text_block(text, chunks), kind="thinking")


def tool_block(name: str, input: Mapping[str, Any], id: str = "", fragments: int = 3) -> Block:
    """A tool call whose JSON comes in that many pieces; without an `id` each sending makes a new one."""
    return Block("tool_use", split(json.dumps(dict(input)), fragments), name, id)


def split(text: str, pieces: int) -> tuple[str, ...]:
    """The text in that many pieces of nearly equal length, fewer when it is shorter than that."""
    pieces = max(1, min(pieces, len(text)))
    bounds = [len(text) * index // pieces for index in range(pieces + 1)]
    return tuple(text[start:end] for start, end in pairwise(bounds))


def text(text: str = "", chunks: Sequence[str] | int | None = None, **options: Any) -> Reply:
    """A reply of one text block; `options` are those of `blocks`."""
    return blocks(text_block(text, chunks), **options)


def thinking(text: str, then: Reply, chunks: Sequence[str] | int | None = None) -> Reply:
    """Thinking before another reply.

    Sent as the API sends it: not at all when the request has no thinking, and with its text left out when
    the model hides it and the request does not say `display: "summarized"`.
    """
    return replace(then, blocks=(thinking_block(text, chunks), *then.blocks))


def tool_calls(calls: Sequence[ToolCall], text: str = "", fragments: int = 3, **options: Any) -> Reply:
    """Calls of tools, each (name, input) or (name, input, id), after an optional text."""
    before = (text_block(text),) if text else ()
    asked = (tool_block(call[0], call[1], call[2] if len(call) > 2 else "", fragments) for call in calls)
    return blocks(*before, *asked, **options)


def error(
    status: int,
    type: str | None = None,
    message: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """An HTTP error with the API's body; type and message default to the API's own for the status."""
    kind = type or ERROR_TYPES.get(status, "api_error")
    said = message or _MESSAGES.get(status, kind.replace("_", " "))
    return Reply(failure=Failure(status, kind, said, headers or {}))


def cut(after: int = 0, reply: Reply | None = None) -> Reply:
    """Drop the TCP connection after that many deltas (-1: before the response)."""
    return replace(_long_enough(reply, after), ending=Ending("cut", after))


def hang(after: int = 0, reply: Reply | None = None) -> Reply:
    """Send that many deltas (-1: not even headers), then nothing till the client leaves or we stop."""
    return replace(_long_enough(reply, after), ending=Ending("hang", after))


def stream_error(
    after: int = 0, type: str = "overloaded_error", message: str | None = None, reply: Reply | None = None
) -> Reply:
    """An `event: error` after that many deltas; without streaming, the HTTP error of that type."""
    said = message or _MESSAGES.get(_STATUS_OF_TYPE.get(type, 500), type)
    return replace(_long_enough(reply, after), ending=Ending("error", after, type, said))


def failure_of(ending: Ending) -> Failure:
    """The HTTP error that says the same as an error event."""
    return Failure(_STATUS_OF_TYPE.get(ending.type, 500), ending.type, ending.message)


def raw(events: Sequence[RawEvent], **options: Any) -> Reply:
    """Exactly these events, each (name, data) or bytes as they are, `delay` seconds apart; streaming only."""
    return replace(blocks(**options), raw=tuple(events))


def _long_enough(reply: Reply | None, after: int) -> Reply:
    return reply or text("".join(f"word{index} " for index in range(after + 1)))
