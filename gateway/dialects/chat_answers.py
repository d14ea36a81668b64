"""Events of a turn as chat completion chunks, or as one chat completion.

Shapes: https://platform.openai.com/docs/api-reference/chat/object and …/chat-streaming. `reasoning_content`
is the field that clients of other reasoning models read; `usage.cost` is in US dollars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gateway.dialects import sse
from gateway.errors import GatewayError, UpstreamError
from gateway.turn import Done, Event, Idle, Started, Text, Thinking, ToolArguments, ToolCall, Usage

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

_NO_ARGUMENTS = "{}"

CHUNK = "chat.completion.chunk"


def finish_reason(stop_reason: str) -> str:
    """OpenAI's word for a Messages API stop reason. One that is new counts as a normal end."""
    return FINISH_REASONS.get(stop_reason, "stop")


def usage_object(usage: Usage) -> dict[str, Any]:
    """OpenAI's usage: `prompt_tokens` includes what was read from and written to the cache."""
    prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    counted: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output_tokens,
        "total_tokens": prompt + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.thinking_tokens},
    }
    return counted if usage.cost_usd is None else {**counted, "cost": float(usage.cost_usd)}


class StreamEncoder:
    """One answer's stream. Feed it batches of events; each becomes the bytes to send, or b"" for none.

    `created` is in Unix seconds. What all chunks share is written once, when Started names the model.
    """

    def __init__(self, answer_id: str, created: int, include_usage: bool = False) -> None:
        self._answer_id = answer_id
        self._created = created
        self._include_usage = include_usage
        self._model: str | None = None
        self._without_arguments: int | None = None
        self._writers: dict[type, Callable[[Any], bytes]] = {
            Started: self._started,
            Text: self._text,
            Thinking: self._thinking,
            ToolCall: self._tool_call,
            ToolArguments: self._tool_arguments,
            Idle: self._idle,
            Done: self._done,
        }
        self._share("")

    def encode(self, batch: Iterable[Event]) -> bytes:
        """The chunks of all events of `batch`, one after the other."""
        writers = self._writers
        return sse.one_line(b"".join([writers[type(event)](event) for event in batch]))

    def error(self, error: GatewayError) -> bytes:
        """What a stream that fails ends with: the error alone, and no `[DONE]`."""
        return sse.one_line(sse.data(sse.dumps(error.body())))

    def _share(self, model: str) -> None:
        common = {"id": self._answer_id, "object": CHUNK, "created": self._created, "model": model}
        self._head = sse.DATA + sse.dumps(common)[:-1] + b',"choices":['
        self._delta = self._head + b'{"index":0,"delta":{'
        self._after_delta = b'},"logprobs":null,"finish_reason":null}]}' + sse.END
        self._before_text = self._delta + b'"content":'
        self._before_thinking = self._delta + b'"reasoning_content":'

    def _started(self, event: Started) -> bytes:
        if self._model is not None:
            return b""  # the model and the role are sent once
        self._model = event.model
        self._share(event.model)
        return self._delta + b'"role":"assistant","content":""' + self._after_delta

    def _text(self, event: Text) -> bytes:
        return self._before_text + sse.dumps(event.text) + self._after_delta

    def _thinking(self, event: Thinking) -> bytes:
        return self._before_thinking + sse.dumps(event.text) + self._after_delta

    def _idle(self, event: Idle) -> bytes:
        return sse.KEEP_ALIVE

    def _tool_call(self, event: ToolCall) -> bytes:
        ended = self._end_call()
        self._without_arguments = event.index
        function = {"name": event.name, "arguments": ""}
        call = {"index": event.index, "id": event.id, "type": "function", "function": function}
        return ended + self._tool_delta(call)

    def _tool_arguments(self, event: ToolArguments) -> bytes:
        if not event.fragment:
            return b""
        if event.index == self._without_arguments:
            self._without_arguments = None
        return self._end_call() + self._arguments(event.index, event.fragment)

    def _end_call(self) -> bytes:
        """Clients parse the arguments as JSON, so a call that got none needs an empty object."""
        index, self._without_arguments = self._without_arguments, None
        return b"" if index is None else self._arguments(index, _NO_ARGUMENTS)

    def _arguments(self, index: int, fragment: str) -> bytes:
        return self._tool_delta({"index": index, "function": {"arguments": fragment}})

    def _tool_delta(self, call: dict[str, Any]) -> bytes:
        return self._delta + b'"tool_calls":[' + sse.dumps(call) + b"]" + self._after_delta

    def _done(self, event: Done) -> bytes:
        reason = finish_reason(event.stop_reason)
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": reason}
        finish = self._head + sse.dumps(choice) + b"]}" + sse.END
        return self._end_call() + finish + self._usage(event.usage) + sse.DONE

    def _usage(self, usage: Usage) -> bytes:
        if not self._include_usage:
            return b""
        return self._head + b'],"usage":' + sse.dumps(usage_object(usage)) + b"}" + sse.END


class _Answer:
    """Gathers the events of an answer that is sent whole."""

    def __init__(self) -> None:
        self.model = ""
        self.text: list[str] = []
        self.thinking: list[str] = []
        self.calls: dict[int, ToolCall] = {}
        self.arguments: dict[int, list[str]] = {}
        self.done: Done | None = None

    def add(self, event: Event) -> None:
        if isinstance(event, Text):
            self.text.append(event.text)
        elif isinstance(event, Thinking):
            self.thinking.append(event.text)
        elif isinstance(event, ToolArguments):
            self.arguments.setdefault(event.index, []).append(event.fragment)
        elif isinstance(event, ToolCall):
            self.calls[event.index] = event
        elif isinstance(event, Started):
            self.model = self.model or event.model
        elif isinstance(event, Done):
            self.done = event

    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self.text), "refusal": None}
        if self.thinking:
            message["reasoning_content"] = "".join(self.thinking)
        if self.calls:
            message["content"] = message["content"] or None
            message["tool_calls"] = [self._tool_call(call) for call in self.calls.values()]
        return message

    def _tool_call(self, call: ToolCall) -> dict[str, Any]:
        arguments = "".join(self.arguments.get(call.index, ())) or _NO_ARGUMENTS
        return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def completion(events: Iterable[Iterable[Event]], answer_id: str, created: int) -> dict[str, Any]:
    """The whole answer as a `chat.completion`. Raises UpstreamError if the events end without Done."""
    answer = _Answer()
    for batch in events:
        for event in batch:
            answer.add(event)
    if answer.done is None:
        raise UpstreamError("The answer broke off before its end.")
    reason = finish_reason(answer.done.stop_reason)
    return {
        "id": answer_id,
        "object": "chat.completion",
        "created": created,
        "model": answer.model,
        "choices": [{"index": 0, "message": answer.message(), "logprobs": None, "finish_reason": reason}],
        "usage": usage_object(answer.done.usage),
    }
