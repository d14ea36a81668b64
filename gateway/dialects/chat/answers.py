"""Encode events as chat completion chunks, or collect them as one chat completion, for one choice or `n` of them.

Shapes: https://platform.openai.com/docs/api-reference/chat/object and …/chat-streaming. Two fields are not OpenAI's:
`reasoning_content`, which clients of other reasoning models read, and `usage.cost` in US dollars.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from gateway import hosted, turn
from gateway.approvals import ApprovalRequest
from gateway.dialects.common import openai_answers, sse
from gateway.dialects.common.answers import incomplete_answer, retracted_answer
from gateway.dialects.common.approval_calls import as_call
from gateway.dialects.common.field_errors import FieldNames, translate_error
from gateway.dialects.common.hosted_blocks import SEALED
from gateway.dialects.common.hosted_record import HostedRecord
from gateway.dialects.common.serving import served_tier
from gateway.dialects.common.tool_call_format import ToolCallFormat
from gateway.errors import GatewayError
from gateway.lenient_json import dumps

#: Concepts that errors and ignored parameters name, with their names in this dialect. See `common.field_errors`.
FIELD_NAMES: FieldNames = {
    "output_schema": "response_format.json_schema.schema",
    "structured_output": "response_format",
    "fast": "service_tier",
    "approval": "messages",
}
CHUNK = "chat.completion.chunk"

_DEFAULT_FORMAT = ToolCallFormat()


def finish_reason(stop_reason: str, call_format: ToolCallFormat = _DEFAULT_FORMAT) -> str:
    """Return OpenAI's finish reason; a tool call has another name in the deprecated format."""
    if stop_reason == "tool_use" and call_format.deprecated:
        return "function_call"
    return openai_answers.finish_reason(stop_reason)


def hosted_fields(record: HostedRecord | None) -> dict[str, Any]:
    """Return the annotations of an answer, and its sealed blocks for the next request."""
    sealed = record.seal() if record is not None else None
    if record is None or sealed is None:
        return {}
    return {"annotations": [_annotation(*citation) for citation in record.citations], SEALED: sealed}


def _annotation(source: Mapping[str, Any], start: int, end: int) -> dict[str, Any]:
    return {"type": "url_citation", "url_citation": openai_answers.url_citation(source, start, end)}


class StreamEncoder:
    """Encode one answer, or `n` merged ones, as a stream of chunks.

    `created` is in Unix seconds. All chunks name the model of the first `Started`. The summed usage and `[DONE]`
    follow the `Done` of the last choice. With `cites`, the answer may cite the results of hosted tools.
    """

    field_names = FIELD_NAMES

    def __init__(
        self,
        answer_id: str,
        created: int,
        include_usage: bool = False,
        n: int = 1,
        call_format: ToolCallFormat = _DEFAULT_FORMAT,
        *,
        cites: bool = False,
    ) -> None:
        self._cites = cites
        self._common = {"id": answer_id, "object": CHUNK, "created": created, "model": ""}
        self._include_usage = include_usage
        self._format = call_format
        self._usages: dict[int, turn.Usage] = {}
        self._set_model("", n)

    def encode(self, batch: Iterable[turn.Event], index: int = 0) -> bytes:
        """Return the chunks for all events of `batch`, which belong to choice `index`."""
        return sse.one_line(b"".join([self._encode(event, index) for event in batch]))

    def error(self, error: GatewayError) -> bytes:
        """Return the error alone: a failed stream has no `[DONE]`."""
        return sse.one_line(sse.data(dumps(translate_error(error, FIELD_NAMES).body())))

    def _set_model(self, model: str, n: int) -> None:
        self._common["model"] = model
        self._head = sse.DATA + dumps(self._common)[:-1] + b',"choices":['
        self._choices = [
            _ChoiceEncoder(index, self._head, self._format, cites=self._cites) for index in range(n)
        ]

    def _encode(self, event: turn.Event, index: int) -> bytes:
        if isinstance(event, turn.Started) and not self._common["model"]:
            self._common |= served_tier(event)
            self._set_model(event.model, len(self._choices))
        chunk = self._choices[index].encode(event)
        return chunk + self._end(event, index) if isinstance(event, turn.Done) else chunk

    def _end(self, event: turn.Done, index: int) -> bytes:
        self._usages[index] = event.usage
        if len(self._usages) < len(self._choices):
            return b""
        return self._usage_chunk() + sse.DONE

    def _usage_chunk(self) -> bytes:
        if not self._include_usage:
            return b""
        usage = openai_answers.completion_usage(turn.sum_usage(self._usages.values()))
        return self._head + b'],"usage":' + dumps(usage) + b"}" + sse.END


class _ChoiceEncoder:
    """Encode the chunks of one choice.

    The bytes that all its chunks share are built once, here: it is the hot path of a stream.
    """

    def __init__(self, index: int, head: bytes, call_format: ToolCallFormat, *, cites: bool) -> None:
        self._format = call_format
        self._hosted: HostedRecord | None = None
        self._has_begun = False
        self._open_call: turn.ToolCall | None = None
        self._pending_arguments: list[str] | None = None
        self._approvals = 0
        self._before = head + b'{"index":%d,"delta":' % index
        self._delta = self._before + b"{"
        self._after_delta = b'},"logprobs":null,"finish_reason":null}]}' + sse.END
        self._before_text = self._delta + b'"content":'
        self._before_thinking = self._delta + b'"reasoning_content":'
        self._writers: dict[type, Callable[[Any], bytes]] = {
            turn.Started: self._started,
            turn.Text: self._text,
            turn.Thinking: self._thinking,
            turn.ThinkingSignature: lambda event: b"",
            turn.RedactedThinking: lambda event: b"",
            turn.ToolCall: self._tool_call,
            turn.ToolArguments: self._tool_arguments,
            ApprovalRequest: self._approval_request,
            turn.Refusal: self._refusal,
            turn.Retracted: self._retracted,
            turn.Idle: self._idle,
            turn.Done: self._done,
        }
        if cites:
            self._hosted = HostedRecord()
            recorded = (turn.Text, *get_args(hosted.HostedEvent))
            self._writers |= dict.fromkeys(recorded, self._record)

    def encode(self, event: turn.Event) -> bytes:
        """Return the chunks for an event; b"" for no chunk."""
        return self._writers[type(event)](event)

    def _started(self, event: turn.Started) -> bytes:
        if self._has_begun:
            return b""  # the role is sent once
        self._has_begun = True
        return self._delta + b'"role":"assistant","content":""' + self._after_delta

    def _text(self, event: turn.Text) -> bytes:
        return self._before_text + dumps(event.text) + self._after_delta

    def _record(self, event: turn.Event) -> bytes:
        if self._hosted is not None:
            self._hosted.add(event)
        return self._text(event) if isinstance(event, turn.Text) else b""

    def _hosted_chunk(self) -> bytes:
        """Return all annotations, and the sealed blocks, in one chunk: OpenAI's SDK cannot add up several."""
        fields = hosted_fields(self._hosted)
        return self._delta + dumps(fields)[1:-1] + self._after_delta if fields else b""

    def _thinking(self, event: turn.Thinking) -> bytes:
        return self._before_thinking + dumps(event.text) + self._after_delta

    def _refusal(self, event: turn.Refusal) -> bytes:
        return self._delta + b'"refusal":' + dumps(event.text) + self._after_delta

    def _retracted(self, event: turn.Retracted) -> bytes:
        raise retracted_answer()

    def _idle(self, event: turn.Idle) -> bytes:
        return sse.KEEP_ALIVE

    def _tool_call(self, event: turn.ToolCall) -> bytes:
        ended = self._end_call()
        # Hold back arguments that are sent whole, and the "{}" of a call that gets no arguments.
        self._open_call, self._pending_arguments = event, []
        call = {"index": event.index, "id": event.id, **self._format.call(event.name, "")}
        return ended + self._call_delta(event.index, call)

    def _tool_arguments(self, event: turn.ToolArguments) -> bytes:
        if not event.fragment:
            return b""
        call = self._open_call
        if call is None or call.index != event.index:
            return self._end_call() + self._arguments(event.index, event.fragment)
        if call.name in self._format.raw and self._pending_arguments is not None:
            self._pending_arguments.append(event.fragment)
            return b""
        self._pending_arguments = None
        return self._arguments(event.index, event.fragment)

    def _approval_request(self, event: ApprovalRequest) -> bytes:
        call, arguments = as_call(event, self._approvals)
        self._approvals += 1
        return self._tool_call(call) + self._tool_arguments(arguments)

    def _end_call(self) -> bytes:
        """Send pending arguments. Clients parse them as JSON, so a call without arguments gets an empty object."""
        call, pending = self._open_call, self._pending_arguments
        self._open_call = self._pending_arguments = None
        if call is None or pending is None:
            return b""
        arguments = self._format.arguments(call.name, "".join(pending))
        if call.name in self._format.custom:
            return self._call_delta(call.index, {"index": call.index, "custom": {"input": arguments}})
        return self._arguments(call.index, arguments)

    def _arguments(self, index: int, fragment: str) -> bytes:
        return self._call_delta(index, {"index": index, "function": {"arguments": fragment}})

    def _call_delta(self, index: int, call: dict[str, Any]) -> bytes:
        if not self._format.deprecated:
            return self._delta + b'"tool_calls":[' + dumps(call) + b"]" + self._after_delta
        if index:
            return b""  # the deprecated format has room for one call
        return self._delta + b'"function_call":' + dumps(call["function"]) + self._after_delta

    def _done(self, event: turn.Done) -> bytes:
        reason = dumps(finish_reason(event.stop_reason, self._format))
        finish = self._before + b'{},"logprobs":null,"finish_reason":' + reason + b"}]}" + sse.END
        return self._end_call() + self._hosted_chunk() + finish


class Collector:
    """Collect one answer, or `n`, as one chat completion. `extra` are fields of the body that OpenAI does not have."""

    field_names = FIELD_NAMES

    def __init__(
        self,
        answer_id: str,
        created: int,
        n: int = 1,
        call_format: ToolCallFormat = _DEFAULT_FORMAT,
        extra: Mapping[str, Any] | None = None,
        *,
        cites: bool = False,
    ) -> None:
        self._common = {"id": answer_id, "object": "chat.completion", "created": created, "model": ""}
        self._choices = [ChoiceCollector(call_format, cites=cites) for _ in range(n)]
        self._extra = extra or {}

    def add(self, batch: Iterable[turn.Event], index: int = 0) -> None:
        """Add events of choice `index`."""
        for event in batch:
            if isinstance(event, turn.Started):
                self._common["model"] = self._common["model"] or event.model
                self._common |= served_tier(event)
            else:
                self._choices[index].add(event)

    def body(self) -> dict[str, Any]:
        """Return the `chat.completion`. Raises UpstreamError if an answer is not complete."""
        choices = [{"index": index, **choice.choice()} for index, choice in enumerate(self._choices)]
        usage = turn.sum_usage(choice.done.usage for choice in self._choices if choice.done)
        return {
            **self._common,
            "choices": choices,
            "usage": openai_answers.completion_usage(usage),
            **self._extra,
        }


class ChoiceCollector:
    """Collect the events of one choice. `done` is its last event, None until it has come.

    With `cites`, the answer may cite the results of hosted tools.
    """

    def __init__(self, call_format: ToolCallFormat = _DEFAULT_FORMAT, *, cites: bool = False) -> None:
        self._hosted = HostedRecord() if cites else None
        self.done: turn.Done | None = None
        self._format = call_format
        self._refusal: str | None = None
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._calls: dict[int, turn.ToolCall] = {}
        self._arguments: dict[int, list[str]] = {}

    def add(self, event: turn.Event) -> None:
        """Add an event; `Started` and `Idle` change nothing."""
        if self._hosted is not None:
            self._hosted.add(event)
        if isinstance(event, turn.Text):
            self._text.append(event.text)
        elif isinstance(event, turn.Retracted):
            self._text.clear()
        elif isinstance(event, turn.Refusal):
            self._refusal = event.text
        elif isinstance(event, turn.Thinking):
            self._thinking.append(event.text)
        elif isinstance(event, turn.Done):
            self.done = event
        else:
            self._add_to_calls(event)

    def _add_to_calls(self, event: turn.Event) -> None:
        if isinstance(event, turn.ToolArguments):
            self._arguments.setdefault(event.index, []).append(event.fragment)
        elif isinstance(event, turn.ToolCall):
            self._calls[event.index] = event
        elif isinstance(event, ApprovalRequest):
            for part in as_call(event, len(self._calls)):
                self._add_to_calls(part)

    def choice(self) -> dict[str, Any]:
        """Return the choice without its index. Raises UpstreamError if the answer is not complete."""
        if self.done is None:
            raise incomplete_answer()
        reason = finish_reason(self.done.stop_reason, self._format)
        return {"message": self.message(), "logprobs": None, "finish_reason": reason}

    def message(self) -> dict[str, Any]:
        """Return the assistant's message, complete or not."""
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
            message |= self._tool_calls()
        return message | hosted_fields(self._hosted)

    def _tool_calls(self) -> dict[str, Any]:
        calls = [{"id": call.id, **self._format_call(call)} for call in self._calls.values()]
        return {"function_call": calls[0]["function"]} if self._format.deprecated else {"tool_calls": calls}

    def _format_call(self, call: turn.ToolCall) -> dict[str, Any]:
        written = "".join(self._arguments.get(call.index, ()))
        return self._format.call(call.name, self._format.arguments(call.name, written))
