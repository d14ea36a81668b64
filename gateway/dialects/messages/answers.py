"""Events of a turn as the Messages API's stream events, or as one message.

Shapes: https://platform.claude.com/docs/en/api/messages and …/docs/en/build-with-claude/streaming. The thinking's
signature is always empty: the CLI drops thinking that is sent back, so nobody needs it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from gateway.dialects.common import sse
from gateway.dialects.messages import errors as anthropic_errors
from gateway.errors import GatewayError, UpstreamError
from gateway.turn import (
    Done,
    Event,
    Idle,
    Refusal,
    Retracted,
    Started,
    Text,
    Thinking,
    ToolArguments,
    ToolCall,
    Usage,
)

_STOP_REASONS = frozenset({
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded",
})  # fmt: skip

_PING = sse.event("ping", b'{"type":"ping"}')
_NO_SIGNATURE = b'{"type":"signature_delta","signature":""}'


def usage_object(usage: Usage) -> dict[str, Any]:
    """The Messages API's usage; `input_tokens` excludes what was read from and written to the cache."""
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.thinking_tokens},
    }


def message(answer_id: str, model: str, usage: Usage) -> dict[str, Any]:
    """A message that is just beginning."""
    return {
        "id": answer_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage_object(usage),
    }


def _stop(done: Done, refused: bool) -> dict[str, Any]:
    """How the answer ended. Words in place of the structured output that was asked for are a refusal."""
    reason = done.stop_reason if done.stop_reason in _STOP_REASONS else "end_turn"
    return {"stop_reason": "refusal" if refused else reason, "stop_sequence": done.stop_sequence}


class StreamEncoder:
    """The stream of one answer. Feed it batches of events; each becomes the bytes to send, or b"" for none."""

    def __init__(self, answer_id: str, request_id: str) -> None:
        self._id = answer_id
        self._request_id = request_id
        self._blocks = 0
        self._open = ""  # the type of the last block, until it is closed
        self._calls: dict[int, int] = {}  # the block of each tool call
        self._refused = False
        self._writers: dict[type, Callable[[Any], bytes]] = {
            Started: self._started,
            Text: self._text,
            Thinking: self._thinking,
            ToolCall: self._tool_call,
            ToolArguments: self._tool_arguments,
            Refusal: self._refusal,
            Retracted: self._retracted,
            Idle: self._idle,
            Done: self._done,
        }

    def encode(self, batch: Iterable[Event], index: int = 0) -> bytes:
        """The events of `batch`, one after the other. There is one choice only."""
        return sse.one_line(b"".join([self._writers[type(event)](event) for event in batch]))

    def error(self, error: GatewayError) -> bytes:
        """What a stream that fails ends with."""
        return sse.one_line(sse.event("error", sse.dumps(anthropic_errors.body(error, self._request_id))))

    def _started(self, event: Started) -> bytes:
        started = {"type": "message_start", "message": message(self._id, event.model, event.usage)}
        return sse.event("message_start", sse.dumps(started)) + _PING

    def _text(self, event: Text) -> bytes:
        opened = self._opened("text", {"type": "text", "text": ""})
        return opened + self._delta(b'{"type":"text_delta","text":' + sse.dumps(event.text) + b"}")

    def _thinking(self, event: Thinking) -> bytes:
        opened = self._opened("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        return opened + self._delta(b'{"type":"thinking_delta","thinking":' + sse.dumps(event.text) + b"}")

    def _tool_call(self, event: ToolCall) -> bytes:
        block = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
        opened = self._closed() + self._opened("tool_use", block)
        self._calls[event.index] = self._blocks - 1
        return opened

    def _tool_arguments(self, event: ToolArguments) -> bytes:
        delta = b'{"type":"input_json_delta","partial_json":' + sse.dumps(event.fragment) + b"}"
        return self._delta(delta, self._calls[event.index])

    def _refusal(self, event: Refusal) -> bytes:
        self._refused = True
        return self._text(Text(event.text)) if event.text else b""

    def _retracted(self, event: Retracted) -> bytes:
        raise UpstreamError(
            "The model's output did not follow the schema, and what is sent cannot be taken back. Try again.",
            code="invalid_structured_output",
        )

    def _idle(self, event: Idle) -> bytes:
        return _PING

    def _done(self, event: Done) -> bytes:
        delta = {
            "type": "message_delta",
            "delta": _stop(event, self._refused),
            "usage": usage_object(event.usage),
        }
        ended = sse.event("message_delta", sse.dumps(delta))
        return self._closed() + ended + sse.event("message_stop", b'{"type":"message_stop"}')

    def _opened(self, kind: str, block: dict[str, Any]) -> bytes:
        """Begins a block, unless one of its kind is open."""
        if self._open == kind:
            return b""
        closed = self._closed()
        self._open = kind
        self._blocks += 1
        started = {"type": "content_block_start", "index": self._blocks - 1, "content_block": block}
        return closed + sse.event("content_block_start", sse.dumps(started))

    def _closed(self) -> bytes:
        if not self._open:
            return b""
        signed = self._delta(_NO_SIGNATURE) if self._open == "thinking" else b""
        self._open = ""
        stop = b'{"type":"content_block_stop","index":%d}' % (self._blocks - 1)
        return signed + sse.event("content_block_stop", stop)

    def _delta(self, delta: bytes, block: int | None = None) -> bytes:
        index = self._blocks - 1 if block is None else block
        return sse.event(
            "content_block_delta", b'{"type":"content_block_delta","index":%d,"delta":%b}' % (index, delta)
        )


class Collector:
    """An answer sent whole. Feed it batches of events, then take `body`."""

    def __init__(self, answer_id: str) -> None:
        self._id = answer_id
        self._model = ""
        self._blocks: list[tuple[dict[str, Any], list[str]]] = []  # each with what was written into it
        self._calls: dict[int, list[str]] = {}
        self._done: Done | None = None
        self._refused = False

    def add(self, batch: Iterable[Event], index: int = 0) -> None:
        """Take in events."""
        for event in batch:
            self._add(event)

    def body(self) -> dict[str, Any]:
        """The message. Raises UpstreamError if the answer has not come to its end."""
        if self._done is None:
            raise UpstreamError("The answer broke off before its end.")
        content = [_finished(block, "".join(written)) for block, written in self._blocks]
        whole = message(self._id, self._model, self._done.usage)
        return {**whole, "content": content, **_stop(self._done, self._refused)}

    def _add(self, event: Event) -> None:
        if isinstance(event, Text):
            self._write({"type": "text"}, event.text)
        elif isinstance(event, Thinking):
            self._write({"type": "thinking", "signature": ""}, event.text)
        elif isinstance(event, ToolCall):
            self._blocks.append(({"type": "tool_use", "id": event.id, "name": event.name}, []))
            self._calls[event.index] = self._blocks[-1][1]
        elif isinstance(event, ToolArguments):
            self._calls[event.index].append(event.fragment)
        elif isinstance(event, Retracted):
            self._blocks = [block for block in self._blocks if block[0]["type"] != "text"]
        elif isinstance(event, Refusal):
            self._refused = True
            self._write({"type": "text"}, event.text)
        elif isinstance(event, Started):
            self._model = event.model
        elif isinstance(event, Done):
            self._done = event

    def _write(self, block: dict[str, Any], text: str) -> None:
        if not self._blocks or self._blocks[-1][0]["type"] != block["type"]:
            self._blocks.append((block, []))
        self._blocks[-1][1].append(text)


def _finished(block: dict[str, Any], written: str) -> dict[str, Any]:
    if block["type"] == "tool_use":
        return {**block, "input": _arguments(written)}
    return {**block, block["type"]: written}


def _arguments(written: str) -> dict[str, Any]:
    """The model's arguments; {} for none, and for what the token limit cut off: half a JSON has no room here."""
    try:
        given = json.loads(written or "{}")
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}
