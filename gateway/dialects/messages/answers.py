"""Encode events as the Messages API's stream events, or collect them as one message.

Shapes: https://platform.claude.com/docs/en/api/messages and …/docs/en/build-with-claude/streaming.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gateway import hosted, remote, turn
from gateway.dialects.common import sse
from gateway.dialects.common.answers import incomplete_answer, retracted_answer
from gateway.dialects.messages.errors import FIELD_NAMES, error_body
from gateway.dialects.messages.remote_blocks import listing_object, result_object, use_object
from gateway.errors import GatewayError
from gateway.lenient_json import dumps

_STOP_REASONS = frozenset({
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded",
})  # fmt: skip

_UNSIGNED = {"type": "thinking", "thinking": "", "signature": ""}
_THINKING = (turn.Thinking, turn.ThinkingSignature, turn.RedactedThinking)
_PING = sse.event("ping", b'{"type":"ping"}')


def usage_object(usage: turn.Usage) -> dict[str, Any]:
    """Return the Messages API's usage object, in which `input_tokens` excludes cached tokens."""
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.thinking_tokens},
        **_hosted_usage(usage),
    }


def _hosted_usage(usage: turn.Usage) -> dict[str, Any]:
    """Return the number of calls of hosted tools, if there were any."""
    if not usage.web_searches and not usage.web_fetches:
        return {}
    counts = {"web_search_requests": usage.web_searches, "web_fetch_requests": usage.web_fetches}
    return {"server_tool_use": counts}


def new_message(answer_id: str, model: str, usage: turn.Usage) -> dict[str, Any]:
    """Return a message without content."""
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


def _served_fields(started: turn.Started) -> dict[str, str]:
    """Return how the API has served the answer, if it tells."""
    served = {"service_tier": started.service_tier, "speed": started.speed}
    return {name: value for name, value in served.items() if value}


def _context_fields(done: turn.Done) -> dict[str, Any]:
    """Return the edits of the prompt that the API has made, if it tells any."""
    return {} if done.context_management is None else {"context_management": done.context_management}


def _stop_fields(done: turn.Done, is_refusal: bool) -> dict[str, Any]:
    """Return the fields that report how the answer ended. Text in place of structured output is a refusal."""
    reason = done.stop_reason if done.stop_reason in _STOP_REASONS else "end_turn"
    return {"stop_reason": "refusal" if is_refusal else reason, "stop_sequence": done.stop_sequence}


class StreamEncoder:
    """Encode one answer as a stream. Thinking is left out without `shows_thinking`.

    With `shows_listings`, it has the lists of the tools of MCP servers.
    """

    field_names = FIELD_NAMES

    def __init__(
        self, answer_id: str, request_id: str, *, shows_thinking: bool = True, shows_listings: bool = False
    ) -> None:
        self._id = answer_id
        self._request_id = request_id
        self._block_count = 0
        self._open_type = ""  # the type of the last block, until it is closed
        self._call_blocks: dict[int | str, int] = {}  # the block of each tool call, by its index or its id
        self._shows_listings = shows_listings
        self._is_refusal = False
        self._writers: dict[type, Callable[[Any], bytes]] = {
            turn.Started: self._started,
            turn.Text: self._text,
            turn.Thinking: self._thinking,
            turn.ThinkingSignature: self._signature,
            turn.RedactedThinking: self._redacted,
            turn.ToolCall: self._tool_call,
            turn.ToolArguments: self._tool_arguments,
            turn.Refusal: self._refusal,
            turn.Retracted: self._retracted,
            turn.Idle: self._idle,
            turn.Done: self._done,
            hosted.HostedCall: self._hosted_call,
            hosted.HostedArguments: self._hosted_arguments,
            hosted.HostedResult: self._hosted_result,
            hosted.Citation: self._citation,
            hosted.TextEnd: lambda event: self._close_block(),
            remote.RemoteTools: self._remote_tools,
            remote.RemoteCall: self._remote_call,
            remote.RemoteArguments: self._remote_arguments,
            remote.RemoteResult: lambda event: self._whole_block(result_object(event)),
        }
        if not shows_thinking:
            self._writers |= dict.fromkeys(_THINKING, lambda event: b"")

    def encode(self, batch: Iterable[turn.Event], index: int = 0) -> bytes:
        """Return the stream events for `batch`. This API has only one choice."""
        return sse.one_line(b"".join([self._writers[type(event)](event) for event in batch]))

    def error(self, error: GatewayError) -> bytes:
        """Return the error event that ends a failed stream."""
        return sse.one_line(sse.event("error", dumps(error_body(error, self._request_id))))

    def _started(self, event: turn.Started) -> bytes:
        message = new_message(self._id, event.model, event.usage)
        message["usage"] |= _served_fields(event)
        started = {"type": "message_start", "message": message}
        return sse.event("message_start", dumps(started)) + _PING

    def _text(self, event: turn.Text) -> bytes:
        opened = self._open_block("text", {"type": "text", "text": ""})
        return opened + self._delta(b'{"type":"text_delta","text":' + dumps(event.text) + b"}")

    def _thinking(self, event: turn.Thinking) -> bytes:
        opened = self._open_block("thinking", _UNSIGNED)
        return opened + self._delta(b'{"type":"thinking_delta","thinking":' + dumps(event.text) + b"}")

    def _signature(self, event: turn.ThinkingSignature) -> bytes:
        opened = self._open_block("thinking", _UNSIGNED)
        signed = self._delta(b'{"type":"signature_delta","signature":' + dumps(event.signature) + b"}")
        return opened + signed + self._close_block()

    def _redacted(self, event: turn.RedactedThinking) -> bytes:
        block = {"type": "redacted_thinking", "data": event.data}
        return self._open_block("redacted_thinking", block) + self._close_block()

    def _tool_call(self, event: turn.ToolCall) -> bytes:
        block = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
        opened = self._close_block() + self._open_block("tool_use", block)
        self._call_blocks[event.index] = self._block_count - 1
        return opened

    def _tool_arguments(self, event: turn.ToolArguments) -> bytes:
        return self._delta(_input_delta(event.fragment), self._call_blocks[event.index])

    def _hosted_call(self, event: hosted.HostedCall) -> bytes:
        return self._close_block() + self._open_block(event.block["type"], event.block)

    def _hosted_arguments(self, event: hosted.HostedArguments) -> bytes:
        return self._delta(_input_delta(event.fragment))

    def _hosted_result(self, event: hosted.HostedResult) -> bytes:
        return self._whole_block(event.block)

    def _remote_tools(self, event: remote.RemoteTools) -> bytes:
        is_shown = self._shows_listings and not event.error
        return self._whole_block(listing_object(event)) if is_shown else b""

    def _remote_call(self, event: remote.RemoteCall) -> bytes:
        block = use_object(event)
        opened = self._close_block() + self._open_block(block["type"], {**block, "input": {}})
        self._call_blocks[event.id] = self._block_count - 1
        return opened

    def _remote_arguments(self, event: remote.RemoteArguments) -> bytes:
        return self._delta(_input_delta(event.fragment), self._call_blocks[event.call_id])

    def _citation(self, event: hosted.Citation) -> bytes:
        opened = self._open_block("text", {"type": "text", "text": "", "citations": []})
        return opened + self._delta(b'{"type":"citations_delta","citation":' + dumps(event.location) + b"}")

    def _refusal(self, event: turn.Refusal) -> bytes:
        self._is_refusal = True
        return self._text(turn.Text(event.text)) if event.text else b""

    def _retracted(self, event: turn.Retracted) -> bytes:
        raise retracted_answer()

    def _idle(self, event: turn.Idle) -> bytes:
        return _PING

    def _done(self, event: turn.Done) -> bytes:
        delta = {
            "type": "message_delta",
            "delta": _stop_fields(event, self._is_refusal),
            "usage": usage_object(event.usage),
            **_context_fields(event),
        }
        ended = sse.event("message_delta", dumps(delta))
        return self._close_block() + ended + sse.event("message_stop", b'{"type":"message_stop"}')

    def _open_block(self, kind: str, block: Mapping[str, Any]) -> bytes:
        """Start a block, unless a block of its type is open."""
        if self._open_type == kind:
            return b""
        closed = self._close_block()
        self._open_type = kind
        self._block_count += 1
        started = {"type": "content_block_start", "index": self._block_count - 1, "content_block": block}
        return closed + sse.event("content_block_start", dumps(started))

    def _whole_block(self, block: Mapping[str, Any]) -> bytes:
        return self._close_block() + self._open_block(block["type"], block) + self._close_block()

    def _close_block(self) -> bytes:
        if not self._open_type:
            return b""
        self._open_type = ""
        return sse.event(
            "content_block_stop", b'{"type":"content_block_stop","index":%d}' % (self._block_count - 1)
        )

    def _delta(self, delta: bytes, block: int | None = None) -> bytes:
        index = self._block_count - 1 if block is None else block
        return sse.event(
            "content_block_delta", b'{"type":"content_block_delta","index":%d,"delta":%b}' % (index, delta)
        )


class Collector:
    """Collect one answer as a message. `StreamEncoder` has the same parameters."""

    field_names = FIELD_NAMES

    def __init__(self, answer_id: str, *, shows_thinking: bool = True, shows_listings: bool = False) -> None:
        self._id = answer_id
        self._shows_thinking = shows_thinking
        self._started = turn.Started("")
        self._blocks: list[tuple[dict[str, Any], list[str]]] = []  # each with its text fragments
        self._call_fragments: dict[int | str, list[str]] = {}  # by the index or the id of the call
        self._shows_listings = shows_listings
        self._done: turn.Done | None = None
        self._is_refusal = False
        self._is_text_over = False

    def add(self, batch: Iterable[turn.Event], index: int = 0) -> None:
        """Add events. This API has only one choice."""
        for event in batch:
            self._add(event)

    def body(self) -> dict[str, Any]:
        """Return the message. Raises UpstreamError if the answer is not complete."""
        if self._done is None:
            raise incomplete_answer()
        content = [_finish(block, "".join(written)) for block, written in self._blocks]
        message = new_message(self._id, self._started.model, self._done.usage)
        message["usage"] |= _served_fields(self._started)
        return {
            **message,
            "content": content,
            **_stop_fields(self._done, self._is_refusal),
            **_context_fields(self._done),
        }

    def _add(self, event: turn.Event) -> None:
        if isinstance(event, turn.Text):
            self._write({"type": "text"}, event.text)
        elif isinstance(event, _THINKING):
            if self._shows_thinking:
                self._add_thinking(event)
        elif isinstance(event, turn.ToolCall):
            self._blocks.append(({"type": "tool_use", "id": event.id, "name": event.name}, []))
            self._call_fragments[event.index] = self._blocks[-1][1]
        elif isinstance(event, turn.ToolArguments):
            self._call_fragments[event.index].append(event.fragment)
        elif isinstance(event, turn.Retracted):
            self._blocks = [block for block in self._blocks if block[0]["type"] != "text"]
        elif isinstance(event, turn.Refusal):
            self._is_refusal = True
            self._write({"type": "text"}, event.text)
        elif isinstance(event, turn.Started):
            self._started = event
        elif isinstance(event, turn.Done):
            self._done = event
        else:
            self._add_other(event)

    def _add_remote(self, event: remote.RemoteEvent) -> None:
        """Add an event of a remote tool."""
        if isinstance(event, remote.RemoteCall):
            self._blocks.append((use_object(event), []))
            self._call_fragments[event.id] = self._blocks[-1][1]
        elif isinstance(event, remote.RemoteArguments):
            self._call_fragments[event.call_id].append(event.fragment)
        elif isinstance(event, remote.RemoteResult):
            self._blocks.append((result_object(event), []))
        elif self._shows_listings and not event.error:
            self._blocks.append((listing_object(event), []))

    def _add_other(self, event: turn.Event) -> None:
        """Add an event of a tool that the client does not run, or of the text that cites its result."""
        if isinstance(event, remote.RemoteEvent):
            self._add_remote(event)
        elif isinstance(event, hosted.HostedCall | hosted.HostedResult):
            self._blocks.append((dict(event.block), []))
        elif isinstance(event, hosted.HostedArguments):
            self._blocks[-1][1].append(event.fragment)
        elif isinstance(event, hosted.Citation):
            self._write({"type": "text"}, "")
            self._blocks[-1][0].setdefault("citations", []).append(event.location)
        elif isinstance(event, hosted.TextEnd):
            self._is_text_over = True

    def _write(self, block: dict[str, Any], text: str) -> None:
        if not self._blocks or self._is_text_over or not _continues(self._blocks[-1][0], block):
            self._blocks.append((block, []))
            self._is_text_over = False
        self._blocks[-1][1].append(text)

    def _add_thinking(self, event: turn.Thinking | turn.ThinkingSignature | turn.RedactedThinking) -> None:
        if isinstance(event, turn.RedactedThinking):
            self._blocks.append(({"type": "redacted_thinking", "data": event.data}, []))
        elif isinstance(event, turn.Thinking):
            self._write({"type": "thinking", "signature": ""}, event.text)
        else:
            self._write({"type": "thinking", "signature": ""}, "")
            self._blocks[-1][0]["signature"] = event.signature


def _input_delta(fragment: str) -> bytes:
    return b'{"type":"input_json_delta","partial_json":' + dumps(fragment) + b"}"


def _continues(last: dict[str, Any], block: dict[str, Any]) -> bool:
    """Return True if a text belongs to the last block. A signature ends a block."""
    return bool(last["type"] == block["type"] and not last.get("signature"))


def _finish(block: dict[str, Any], written: str) -> dict[str, Any]:
    if block["type"].endswith("tool_use"):
        return {**block, "input": _arguments(written)}
    return {**block, block["type"]: written} if block["type"] in ("text", "thinking") else block


def _arguments(written: str) -> dict[str, Any]:
    """Return the model's arguments; {} if the token limit cut them off, because partial JSON does not fit here."""
    try:
        given = json.loads(written or "{}")
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}
