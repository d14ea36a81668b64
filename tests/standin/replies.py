"""Scripted replies as plain data, and the functions with which tests build them.

A `Reply` has content blocks, a pace and an ending. Functions for successful replies call `blocks`; functions for
failing ones change the ending of another reply. For example, a stream that breaks off after two words:

    standin.default(cut(2, text("one two three", delay=0.1)))
"""

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
    """One content block: its `deltas` (text, thinking or pieces of JSON) and, for a tool call, name and id.

    A text may have `citations`. The API sends the results of its own tools in one piece, as `whole`.
    """

    kind: Literal["text", "thinking", "tool_use", "server_tool_use", "whole"]
    deltas: tuple[str, ...] = ()
    name: str = ""
    id: str = ""
    citations: tuple[Mapping[str, Any], ...] = ()
    whole: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Return the deltas joined."""
        return "".join(self.deltas)


@dataclass(frozen=True)
class Ending:
    """The end of a reply: normal ("end"), or after `after` deltas a dropped connection, silence or an error event.

    With `after` -1 it ends before the first byte of the response.
    """

    kind: Literal["end", "cut", "hang", "error"] = "end"
    after: int = 0
    type: str = ""
    message: str = ""


@dataclass(frozen=True)
class Failure:
    """An HTTP error that is sent instead of a message."""

    status: int
    type: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """A scripted reply. Times are seconds; `usage` overrides single figures of the default usage.

    `head_delay` passes before the first byte, as if the request waited in a queue, `first_delay` between
    `message_start` and the first block, and `delay` between deltas.
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
    headers: Mapping[str, str] = field(default_factory=dict)


def blocks(
    *parts: Block,
    delay: float = 0.0,
    first_delay: float = 0.0,
    head_delay: float = 0.0,
    stop_reason: str | None = None,
    stop_sequence: str | None = None,
    usage: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Return a reply with these content blocks. `stop_reason` defaults to "tool_use" if one of them is a tool call."""
    calls_tool = any(part.kind == "tool_use" for part in parts)
    reason = stop_reason or ("tool_use" if calls_tool else "end_turn")
    reply = Reply(parts, delay, first_delay, head_delay, reason, stop_sequence, usage or {})
    return replace(reply, headers=headers or {})


def text_block(text: str = "", chunks: Sequence[str] | int | None = None) -> Block:
    """Return a text block with one delta per word, with `chunks` deltas, or with exactly the deltas `chunks`.

    Raises ValueError if the deltas do not add up to the text.
    """
    if chunks is None:
        return Block("text", tuple(_WORD.findall(text)))
    if isinstance(chunks, int):
        return Block("text", split(text, chunks))
    if text and "".join(chunks) != text:
        raise ValueError("The chunks do not add up to the text.")
    return Block("text", tuple(chunks))


def thinking_block(text: str, chunks: Sequence[str] | int | None = None) -> Block:
    """Return a thinking block, split like a text block. Its signature is added when it is sent."""
    return replace(text_block(text, chunks), kind="thinking")


def tool_block(name: str, input: Mapping[str, Any], id: str = "", fragments: int = 3) -> Block:
    """Return a tool call whose JSON is sent in `fragments` pieces. Without `id`, each reply gets a new id."""
    return Block("tool_use", split(json.dumps(dict(input)), fragments), name, id)


def split(text: str, pieces: int) -> tuple[str, ...]:
    """Split a text into pieces of nearly equal length, or into fewer pieces if it has fewer characters."""
    pieces = max(1, min(pieces, len(text)))
    bounds = [len(text) * index // pieces for index in range(pieces + 1)]
    return tuple(text[start:end] for start, end in pairwise(bounds))


def text(text: str = "", chunks: Sequence[str] | int | None = None, **options: Any) -> Reply:
    """Return a reply with one text block. `options` are passed on to `blocks`."""
    return blocks(text_block(text, chunks), **options)


def thinking(text: str, then: Reply, chunks: Sequence[str] | int | None = None) -> Reply:
    """Return a reply that thinks before it does the same as `then`.

    As with the API, the block is not sent if the request has no thinking, and it has no text if the model hides it and
    the request does not say `display: "summarized"`.
    """
    return replace(then, blocks=(thinking_block(text, chunks), *then.blocks))


def tool_calls(calls: Sequence[ToolCall], text: str = "", fragments: int = 3, **options: Any) -> Reply:
    """Return a reply with tool calls, each (name, input) or (name, input, id), after an optional text."""
    texts = (text_block(text),) if text else ()
    uses = (tool_block(call[0], call[1], call[2] if len(call) > 2 else "", fragments) for call in calls)
    return blocks(*texts, *uses, **options)


def error(
    status: int,
    type: str | None = None,
    message: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Return an HTTP error with the body of the API. The API has a default type and message for each status."""
    kind = type or ERROR_TYPES.get(status, "api_error")
    text = message or _MESSAGES.get(status, kind.replace("_", " "))
    return Reply(failure=Failure(status, kind, text, headers or {}))


def cut(after: int = 0, reply: Reply | None = None) -> Reply:
    """Return a reply that drops the TCP connection after this many deltas (-1: before the response)."""
    return replace(_long_enough(reply, after), ending=Ending("cut", after))


def hang(after: int = 0, reply: Reply | None = None) -> Reply:
    """Return a reply that falls silent after this many deltas (-1: before its headers), until the client leaves."""
    return replace(_long_enough(reply, after), ending=Ending("hang", after))


def stream_error(
    after: int = 0, type: str = "overloaded_error", message: str | None = None, reply: Reply | None = None
) -> Reply:
    """Return a reply that ends with `event: error` after this many deltas, or without streaming as an HTTP error."""
    text = message or _MESSAGES.get(_STATUS_OF_TYPE.get(type, 500), type)
    return replace(_long_enough(reply, after), ending=Ending("error", after, type, text))


def failure_of(ending: Ending) -> Failure:
    """Return the HTTP error that corresponds to an error event."""
    return Failure(_STATUS_OF_TYPE.get(ending.type, 500), ending.type, ending.message)


def raw(events: Sequence[RawEvent], **options: Any) -> Reply:
    """Return a reply that streams exactly these events: pairs of name and data, or raw bytes."""
    return replace(blocks(**options), raw=tuple(events))


def _long_enough(reply: Reply | None, after: int) -> Reply:
    return reply or text("".join(f"word{index} " for index in range(after + 1)))
