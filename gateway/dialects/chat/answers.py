"""Events of a turn, or of several for `n` choices, as chat completion chunks, or as one chat completion.

Shapes: https://platform.openai.com/docs/api-reference/chat/object and …/chat-streaming. `reasoning_content`
is the field that clients of other reasoning models read; `usage.cost` is in US dollars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gateway.dialects.common import sse
from gateway.dialects.common.field_errors import retracted
from gateway.dialects.common.tool_call_format import ToolCallFormat
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
    sum_usage,
)

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

_CHATTY = ToolCallFormat()

CHUNK = "chat.completion.chunk"


def finish_reason(stop_reason: str, form: ToolCallFormat = _CHATTY) -> str:
    """OpenAI's word for a Messages API stop reason. One that is new counts as a normal end."""
    if stop_reason == "tool_use" and form.deprecated:
        return "function_call"
    return FINISH_REASONS.get(stop_reason, "stop")


def usage_object(usage: Usage) -> dict[str, Any]:
    """OpenAI's usage: `prompt_tokens` includes what was read from and written to the cache."""
    counted: dict[str, Any] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.thinking_tokens},
    }
    return counted if usage.cost_usd is None else {**counted, "cost": float(usage.cost_usd)}


class StreamEncoder:
    """The stream of one answer, or of `n` merged. Feed it batches of events with the index of their choice; each
    becomes the bytes to send, or b"" for none.

    `created` is in Unix seconds. All chunks name the model of the first Started. The usage, summed, and `[DONE]`
    come with the last choice's Done.
    """

    def __init__(
        self,
        answer_id: str,
        created: int,
        include_usage: bool = False,
        n: int = 1,
        form: ToolCallFormat = _CHATTY,
    ) -> None:
        self._common = {"id": answer_id, "object": CHUNK, "created": created, "model": ""}
        self._include_usage = include_usage
        self._form = form
        self._done: dict[int, Usage] = {}
        self._share("", n)

    def encode(self, batch: Iterable[Event], index: int = 0) -> bytes:
        """The chunks of all events of `batch`, which belong to choice `index`, one after the other."""
        return sse.one_line(b"".join([self._event(event, index) for event in batch]))

    def error(self, error: GatewayError) -> bytes:
        """What a stream that fails ends with: the error alone, and no `[DONE]`."""
        return sse.one_line(sse.data(sse.dumps(error.body())))

    def _share(self, model: str, n: int) -> None:
        self._common["model"] = model
        self._head = sse.DATA + sse.dumps(self._common)[:-1] + b',"choices":['
        self._choices = [_Choice(index, self._head, self._form) for index in range(n)]

    def _event(self, event: Event, index: int) -> bytes:
        if isinstance(event, Started) and not self._common["model"]:
            self._share(event.model, len(self._choices))
        written = self._choices[index].write(event)
        return written + self._end(event, index) if isinstance(event, Done) else written

    def _end(self, event: Done, index: int) -> bytes:
        self._done[index] = event.usage
        if len(self._done) < len(self._choices):
            return b""
        return self._usage() + sse.DONE

    def _usage(self) -> bytes:
        if not self._include_usage:
            return b""
        usage = usage_object(sum_usage(self._done.values()))
        return self._head + b'],"usage":' + sse.dumps(usage) + b"}" + sse.END


class _Choice:
    """Writes the chunks of one choice. What all of them share is written once, here."""

    def __init__(self, index: int, head: bytes, form: ToolCallFormat) -> None:
        self._form = form
        self._began = False
        self._open: ToolCall | None = None
        self._held: list[str] | None = None
        self._before = head + b'{"index":%d,"delta":' % index
        self._delta = self._before + b"{"
        self._after_delta = b'},"logprobs":null,"finish_reason":null}]}' + sse.END
        self._before_text = self._delta + b'"content":'
        self._before_thinking = self._delta + b'"reasoning_content":'
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

    def write(self, event: Event) -> bytes:
        return self._writers[type(event)](event)

    def _started(self, event: Started) -> bytes:
        if self._began:
            return b""  # the role is sent once
        self._began = True
        return self._delta + b'"role":"assistant","content":""' + self._after_delta

    def _text(self, event: Text) -> bytes:
        return self._before_text + sse.dumps(event.text) + self._after_delta

    def _thinking(self, event: Thinking) -> bytes:
        return self._before_thinking + sse.dumps(event.text) + self._after_delta

    def _refusal(self, event: Refusal) -> bytes:
        return self._delta + b'"refusal":' + sse.dumps(event.text) + self._after_delta

    def _retracted(self, event: Retracted) -> bytes:
        raise retracted()

    def _idle(self, event: Idle) -> bytes:
        return sse.KEEP_ALIVE

    def _tool_call(self, event: ToolCall) -> bytes:
        ended = self._end_call()
        # Held back: arguments that are sent whole, and the "{}" of a call that gets none.
        self._open, self._held = event, []
        function = {"name": event.name, "arguments": ""}
        call = {"index": event.index, "id": event.id, "type": "function", "function": function}
        return ended + self._call_delta(event.index, call, function)

    def _tool_arguments(self, event: ToolArguments) -> bytes:
        if not event.fragment:
            return b""
        call = self._open
        if call is None or call.index != event.index:
            return self._end_call() + self._arguments(event.index, event.fragment)
        if call.name in self._form.raw and self._held is not None:
            self._held.append(event.fragment)
            return b""
        self._held = None
        return self._arguments(event.index, event.fragment)

    def _end_call(self) -> bytes:
        """Clients parse the arguments as JSON, so a call that got none needs an empty object."""
        call, held = self._open, self._held
        self._open = self._held = None
        if call is None or held is None:
            return b""
        return self._arguments(call.index, self._form.arguments(call.name, "".join(held)))

    def _arguments(self, index: int, fragment: str) -> bytes:
        function = {"arguments": fragment}
        return self._call_delta(index, {"index": index, "function": function}, function)

    def _call_delta(self, index: int, call: dict[str, Any], function: dict[str, str]) -> bytes:
        if not self._form.deprecated:
            return self._delta + b'"tool_calls":[' + sse.dumps(call) + b"]" + self._after_delta
        if index:
            return b""  # the deprecated form has room for one call
        return self._delta + b'"function_call":' + sse.dumps(function) + self._after_delta

    def _done(self, event: Done) -> bytes:
        reason = sse.dumps(finish_reason(event.stop_reason, self._form))
        finish = self._before + b'{},"logprobs":null,"finish_reason":' + reason + b"}]}" + sse.END
        return self._end_call() + finish


class Collector:
    """An answer, or `n`, sent whole. Feed it batches of events with the index of their choice, then take `body`.

    `extra` are fields of the body that OpenAI does not have.
    """

    def __init__(
        self,
        answer_id: str,
        created: int,
        n: int = 1,
        form: ToolCallFormat = _CHATTY,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self._common = {"id": answer_id, "object": "chat.completion", "created": created, "model": ""}
        self._answers = [ChoiceCollector(form) for _ in range(n)]
        self._extra = extra or {}

    def add(self, batch: Iterable[Event], index: int = 0) -> None:
        """Take in events of choice `index`."""
        for event in batch:
            if isinstance(event, Started):
                self._common["model"] = self._common["model"] or event.model
            else:
                self._answers[index].add(event)

    def body(self) -> dict[str, Any]:
        """The `chat.completion`. Raises UpstreamError if an answer has not come to its end."""
        choices = [{"index": index, **answer.choice()} for index, answer in enumerate(self._answers)]
        usage = sum_usage(answer.done.usage for answer in self._answers if answer.done)
        return {**self._common, "choices": choices, "usage": usage_object(usage), **self._extra}


class ChoiceCollector:
    """Gathers the events of one choice."""

    def __init__(self, form: ToolCallFormat = _CHATTY) -> None:
        self.done: Done | None = None
        self._form = form
        self._refusal: str | None = None
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._calls: dict[int, ToolCall] = {}
        self._arguments: dict[int, list[str]] = {}

    def add(self, event: Event) -> None:
        """Take in an event; those of other kinds leave it as it is."""
        if isinstance(event, Text):
            self._text.append(event.text)
        elif isinstance(event, Retracted):
            self._text.clear()
        elif isinstance(event, Refusal):
            self._refusal = event.text
        elif isinstance(event, Thinking):
            self._thinking.append(event.text)
        elif isinstance(event, ToolArguments):
            self._arguments.setdefault(event.index, []).append(event.fragment)
        elif isinstance(event, ToolCall):
            self._calls[event.index] = event
        elif isinstance(event, Done):
            self.done = event

    def choice(self) -> dict[str, Any]:
        """The choice, but for its index. Raises UpstreamError if the answer has not come to its end."""
        if self.done is None:
            raise UpstreamError("The answer broke off before its end.")
        reason = finish_reason(self.done.stop_reason, self._form)
        return {"message": self.message(), "logprobs": None, "finish_reason": reason}

    def message(self) -> dict[str, Any]:
        """The assistant's message, as far as it has come."""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(self._text),
            "refusal": self._refusal,
        }
        if self._refusal is not None:
            message["content"] = None
        if self._thinking:
            message["reasoning_content"] = "".join(self._thinking)
        if self._calls:
            message["content"] = message["content"] or None
            message |= self._called()
        return message

    def _called(self) -> dict[str, Any]:
        calls = [
            {"id": call.id, "type": "function", "function": self._function(call)}
            for call in self._calls.values()
        ]
        return {"function_call": calls[0]["function"]} if self._form.deprecated else {"tool_calls": calls}

    def _function(self, call: ToolCall) -> dict[str, str]:
        written = "".join(self._arguments.get(call.index, ()))
        return {"name": call.name, "arguments": self._form.arguments(call.name, written)}
