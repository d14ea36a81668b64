"""Build a response object from the events of a turn, and report each change as an event of the stream.

An output item gets its content when it ends; until then, the response shows it as it started. The events have no
sequence numbers yet.

Shapes: https://platform.openai.com/docs/api-reference/responses/object and …/responses-streaming. `usage.cost`, in US
dollars, is our addition.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, cast, get_args

from gateway import hosted, turn
from gateway.approvals import ApprovalRequest
from gateway.dialects.common import openai_answers
from gateway.dialects.common.answers import retracted_answer
from gateway.dialects.common.field_errors import FieldNames, translate_error
from gateway.dialects.common.input_items import APPROVAL_PREFIX
from gateway.dialects.common.json_types import Item
from gateway.dialects.common.tool_call_format import NO_ARGUMENTS, InputDecoder
from gateway.dialects.common.tool_forms import NO_FORMS, ToolForm, ToolForms
from gateway.errors import GatewayError, InvalidRequest, RateLimited, TurnStopped
from gateway.lenient_json import dumps, loads
from gateway.partial_json import close_json

#: Concepts that errors and ignored parameters name, with their names in this dialect. See `common.field_errors`.
FIELD_NAMES: FieldNames = {
    "output_schema": "text.format.schema",
    "max_tokens": "max_output_tokens",
    "approval": "input",
}

Response = dict[str, Any]
#: An event of the stream, such as `{"type": "response.output_item.added", …}`.
StreamEvent = dict[str, Any]
Emit = Callable[[StreamEvent], None]
#: A function that gets the finished response.
OnEnd = Callable[[Response], None]

# The reason for an incomplete answer, by the stop reason of the Messages API.
INCOMPLETE = {
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "refusal": "content_filter",
}


def new_response(response_id: str, model: str, echoed: Response, status: str = "in_progress") -> Response:
    """Return a response without output. `echoed` holds the fields that repeat the request."""
    return {
        "id": response_id,
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "usage": None,
        **echoed,
    }


def usage_object(usage: turn.Usage) -> dict[str, Any]:
    """Return the usage object of the Responses API, in which `input_tokens` includes cached tokens."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": openai_answers.prompt_details(usage),
        "output_tokens": usage.output_tokens,
        "output_tokens_details": openai_answers.output_details(usage),
        "total_tokens": usage.total_tokens,
        **openai_answers.cost(usage),
    }


def fail_response(response: Response, error: GatewayError) -> None:
    """End the response with an error, with one of the few codes that the API has."""
    response["status"] = "cancelled" if isinstance(error, TurnStopped) else "failed"
    if response["status"] == "failed":
        response["error"] = {"code": _failure_code(error), "message": error.message}


def _failure_code(error: GatewayError) -> str:
    if isinstance(error, RateLimited):
        return "rate_limit_exceeded"
    return "invalid_prompt" if isinstance(error, InvalidRequest) else "server_error"


class ResponseBuilder:
    """Build a response from events. A stream, a whole answer and a background task use it alike.

    The stream events that it returns have no sequence numbers yet. Set `can_retract` if no client has read the text so
    far, so that text which does not follow the schema can be dropped. `tool_forms` are the forms in which the client
    expects calls.
    """

    def __init__(
        self, response: Response, *, with_summary: bool, can_retract: bool, tool_forms: ToolForms = NO_FORMS
    ) -> None:
        self.response = response
        self._tool_forms = tool_forms
        self.is_over = False
        self._with_summary = with_summary
        self._can_retract = can_retract
        self._emitted: list[StreamEvent] = []
        self._open: Output | None = None
        self._calls: dict[int, Call] = {}
        self._handlers: dict[type, Callable[[Any], None]] = {
            turn.Started: self._started,
            turn.Text: lambda event: self._message().add_text(event.text),
            turn.Refusal: lambda event: self._message().add_refusal(event.text),
            turn.Thinking: lambda event: self._reasoning().add_thought(event.text),
            turn.ThinkingSignature: lambda event: None,
            turn.RedactedThinking: lambda event: None,
            turn.ToolCall: self._tool_call,
            turn.ToolArguments: lambda event: self._calls[event.index].add_arguments(event.fragment),
            ApprovalRequest: self._approval_request,
            turn.Retracted: self._retracted,
            turn.Idle: lambda event: None,
            turn.Done: self._done,
            **dict.fromkeys(get_args(hosted.HostedEvent), lambda event: None),
        }

    def add(self, event: turn.Event) -> list[StreamEvent]:
        """Add an event to the response, and return the stream events that report the change."""
        self._emitted = []
        self._handlers[type(event)](event)
        return self._emitted

    def fail(self, error: GatewayError) -> list[StreamEvent]:
        """End the response with an error, and return the stream events that report it."""
        error = translate_error(error, FIELD_NAMES)
        self._close_item("incomplete")
        self.is_over = True
        fail_response(self.response, error)
        details = {"type": error.type, "code": error.code, "message": error.message, "param": error.param}
        # OpenAI's reference puts the fields into the event itself, its servers and SDKs into an object.
        return [
            {**details, "type": "error", "error": details},
            {"type": "response.failed", "response": self.response},
        ]

    def _started(self, event: turn.Started) -> None:
        self.response |= {"model": event.model, "status": "in_progress"}
        for kind in ("created", "in_progress"):
            self._emitted.append({"type": f"response.{kind}", "response": self.response})

    def _message(self) -> Message:
        if not isinstance(self._open, Message):
            self._open_item(Message(*self._next_item("msg")))
        return cast(Message, self._open)

    def _reasoning(self) -> Reasoning:
        if not isinstance(self._open, Reasoning):
            self._open_item(Reasoning(*self._next_item("rs"), with_summary=self._with_summary))
        return cast(Reasoning, self._open)

    def _tool_call(self, event: turn.ToolCall) -> None:
        form = self._tool_forms.get(event.name) or ToolForm(event.name)
        kind, prefix = CALLS[form.kind]
        call = kind(*self._next_item(prefix), call_id=event.id, form=form)
        self._calls[event.index] = call
        self._open_item(call)

    def _approval_request(self, event: ApprovalRequest) -> None:
        _, index, emit = self._next_item("mcpr")
        self._open_item(Approval(event, index, emit))

    def _next_item(self, prefix: str) -> tuple[str, int, Emit]:
        """End the open item, and return the id and index of the next one, and the function that takes its events."""
        self._close_item("completed")
        index = len(self.response["output"])
        own = str(self.response["id"]).partition("_")[2]
        return f"{prefix}_{own}{index:04x}", index, lambda emitted: self._emitted.append(emitted)

    def _open_item(self, output: Output) -> None:
        self._open = output
        self.response["output"].append(output.item)

    def _close_item(self, status: str) -> None:
        if self._open is not None:
            self._open.end(status)
            self._open = None

    def _retracted(self, event: turn.Retracted) -> None:
        if not self._can_retract:
            raise retracted_answer()
        self._close_item("incomplete")
        output = self.response["output"]
        output[:] = [item for item in output if item["type"] != "message"]

    def _done(self, event: turn.Done) -> None:
        reason = INCOMPLETE.get(event.stop_reason)
        status = "incomplete" if reason else "completed"
        self._close_item(status)
        self.response |= {
            "status": status,
            "completed_at": None if reason else int(time.time()),
            "incomplete_details": {"reason": reason} if reason else None,
            "usage": usage_object(event.usage),
        }
        self.is_over = True
        self._emitted.append({"type": f"response.{status}", "response": self.response})


class Output(ABC):
    """An item at `index` of a response's output. `emit` gets its stream events."""

    def __init__(self, item: Item, index: int, emit: Emit) -> None:
        self.item = item
        self._emit = emit
        self._written: list[str] = []
        self._position = {"item_id": item["id"], "output_index": index}
        emit({"type": "response.output_item.added", "output_index": index, "item": dict(item)})

    def end(self, status: str) -> None:
        """End the item with `status`, which is completed or incomplete."""
        self._complete(status)
        index = self._position["output_index"]
        self._emit({"type": "response.output_item.done", "output_index": index, "item": dict(self.item)})

    @abstractmethod
    def _complete(self, status: str) -> None:
        """Set the content and status of the item."""

    def _report(self, kind: str, **fields: Any) -> None:
        self._emit({"type": f"response.{kind}", **self._position, **fields})


class Message(Output):
    """A message of the model. Its parts are texts and refusals."""

    def __init__(self, item_id: str, index: int, emit: Emit) -> None:
        item = {"id": item_id, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        super().__init__(item, index, emit)
        self._parts: list[Item] = []

    def add_text(self, delta: str) -> None:
        """Add text."""
        self._add_delta(delta, {"type": "output_text", "text": "", "annotations": [], "logprobs": []})
        self._report("output_text.delta", content_index=len(self._parts) - 1, delta=delta, logprobs=[])

    def add_refusal(self, delta: str) -> None:
        """Add text of a refusal."""
        self._add_delta(delta, {"type": "refusal", "refusal": ""})
        self._report("refusal.delta", content_index=len(self._parts) - 1, delta=delta)

    def _add_delta(self, delta: str, part: Item) -> None:
        if not self._parts or self._parts[-1]["type"] != part["type"]:
            self._end_part()
            self._parts.append(part)
            self._report("content_part.added", content_index=len(self._parts) - 1, part=dict(part))
        self._written.append(delta)

    def _end_part(self) -> None:
        if not self._parts:
            return
        index, part = len(self._parts) - 1, self._parts[-1]
        text = "".join(self._written)
        self._written = []
        if part["type"] == "refusal":
            part["refusal"] = text
            self._report("refusal.done", content_index=index, refusal=text)
        else:
            part["text"] = text
            self._report("output_text.done", content_index=index, text=text, logprobs=[])
        self._report("content_part.done", content_index=index, part=dict(part))

    def _complete(self, status: str) -> None:
        self._end_part()
        self.item |= {"status": status, "content": self._parts}


class Reasoning(Output):
    """The model's thinking. It is reported only `with_summary`."""

    def __init__(self, item_id: str, index: int, emit: Emit, *, with_summary: bool) -> None:
        super().__init__({"id": item_id, "type": "reasoning", "summary": []}, index, emit)
        self._with_summary = with_summary

    def add_thought(self, delta: str) -> None:
        """Add thinking."""
        if not self._with_summary:
            return
        if not self._written:
            self._report("reasoning_summary_part.added", summary_index=0, part=_summary(""))
        self._written.append(delta)
        self._report("reasoning_summary_text.delta", summary_index=0, delta=delta)

    def _complete(self, status: str) -> None:
        if not self._written:
            return
        text = "".join(self._written)
        self._report("reasoning_summary_text.done", summary_index=0, text=text)
        self._report("reasoning_summary_part.done", summary_index=0, part=_summary(text))
        self.item["summary"] = [_summary(text)]


class Call(Output):
    """A call of a function."""

    kind, content = "function_call", "arguments"

    def __init__(self, item_id: str, index: int, emit: Emit, *, call_id: str, form: ToolForm) -> None:
        item = {"id": item_id, "type": self.kind, "status": "in_progress", "call_id": call_id}
        super().__init__({**item, **self._describe(form)}, index, emit)

    def _describe(self, form: ToolForm) -> Item:
        namespace = {"namespace": form.namespace} if form.namespace else {}
        return {"name": form.name, **namespace, self.content: ""}

    def add_arguments(self, delta: str) -> None:
        """Add a fragment of the arguments' JSON."""
        if delta:
            self._written.append(delta)
            self._report("function_call_arguments.delta", delta=delta)

    def _complete(self, status: str) -> None:
        # Clients parse the arguments as JSON, even if the answer failed in the middle of them.
        self.add_arguments(close_json("".join(self._written)) if self._written else NO_ARGUMENTS)
        arguments = "".join(self._written)
        self.item |= {"status": status, "arguments": arguments}
        self._report("function_call_arguments.done", name=self.item["name"], arguments=arguments)


class CustomCall(Call):
    """A call of a custom tool: the client gets the free text that the model wrote as the property of a function."""

    kind, content = "custom_tool_call", "input"

    def __init__(self, item_id: str, index: int, emit: Emit, *, call_id: str, form: ToolForm) -> None:
        super().__init__(item_id, index, emit, call_id=call_id, form=form)
        self._decoder = InputDecoder()

    def add_arguments(self, delta: str) -> None:
        """Add a fragment of the JSON around the text."""
        self._add_text(self._decoder.feed(delta))

    def _add_text(self, delta: str) -> None:
        if delta:
            self._report("custom_tool_call_input.delta", delta=delta)

    def _complete(self, status: str) -> None:
        text, rest = self._decoder.finish()
        self._add_text(rest)
        self.item |= {"status": status, "input": text}
        self._report("custom_tool_call_input.done", input=text)


class SearchCall(Call):
    """A call of the client's search for tools, which has its arguments as an object."""

    kind = "tool_search_call"

    def _describe(self, form: ToolForm) -> Item:
        return {"execution": "client", "arguments": {}}

    def add_arguments(self, delta: str) -> None:
        """Add a fragment of the arguments' JSON."""
        self._written.append(delta)

    def _complete(self, status: str) -> None:
        written = "".join(self._written)
        arguments = loads(written + close_json(written)) if written else {}
        self.item |= {"status": status, "arguments": arguments}


class Approval(Output):
    """A request for the approval of a tool call."""

    def __init__(self, request: ApprovalRequest, index: int, emit: Emit) -> None:
        item = {
            "id": f"{APPROVAL_PREFIX}{request.id}",
            "type": "mcp_approval_request",
            "server_label": request.server,
            "name": request.name,
            "arguments": dumps(request.arguments).decode(),
        }
        super().__init__(item, index, emit)

    def _complete(self, status: str) -> None:
        """Leave the item as it is: it has no status."""


#: The items for calls, with the prefixes of their ids, by the kind of the tool.
CALLS: dict[str, tuple[type[Call], str]] = {
    "function": (Call, "fc"),
    "custom": (CustomCall, "ctc"),
    "search": (SearchCall, "tsc"),
}


def _summary(text: str) -> Item:
    return {"type": "summary_text", "text": text}
