"""Build a response object from the events of a turn, and report each change as an event of the stream.

An output item gets its content when it ends; until then, the response shows it as it started. The events have no
sequence numbers yet.

Shapes: https://platform.openai.com/docs/api-reference/responses/object and …/responses-streaming. `usage.cost`, in US
dollars, is our addition.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from gateway import hosted, remote, turn
from gateway.approvals import ApprovalRequest
from gateway.dialects.common import openai_answers
from gateway.dialects.common.answers import retracted_answer
from gateway.dialects.common.field_errors import FieldNames, translate_error
from gateway.dialects.common.serving import served_tier
from gateway.dialects.common.tool_forms import NO_FORMS, ToolForm, ToolForms
from gateway.dialects.responses.outputs import (
    CALLS,
    Approval,
    Call,
    Emit,
    Message,
    Output,
    Reasoning,
    StreamEvent,
    WebSearchCall,
)
from gateway.dialects.responses.remote_items import McpCall, ToolList
from gateway.errors import GatewayError, InvalidRequest, RateLimited, TurnStopped

#: Concepts that errors and ignored parameters name, with their names in this dialect. See `common.field_errors`.
FIELD_NAMES: FieldNames = {
    "output_schema": "text.format.schema",
    "max_tokens": "max_output_tokens",
    "approval": "input",
    "fast": "service_tier",
}

Response = dict[str, Any]
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
        self,
        response: Response,
        *,
        with_summary: bool,
        can_retract: bool,
        tool_forms: ToolForms = NO_FORMS,
    ) -> None:
        self.response = response
        self._tool_forms = tool_forms
        self.is_over = False
        self._with_summary = with_summary
        self._can_retract = can_retract
        self._emitted: list[StreamEvent] = []
        self._open: Output | None = None
        self._calls: dict[int, Call] = {}
        # Items that wait for a result, by the ids of their calls. Other items may come before it.
        self._searches: dict[str, WebSearchCall] = {}
        self._remote_calls: dict[str, McpCall] = {}
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
            remote.RemoteTools: self._remote_tools,
            remote.RemoteCall: self._remote_call,
            remote.RemoteArguments: self._remote_arguments,
            remote.RemoteResult: self._remote_result,
            turn.Retracted: self._retracted,
            turn.Idle: lambda event: None,
            turn.Done: self._done,
            hosted.HostedCall: self._hosted_call,
            hosted.HostedArguments: self._hosted_arguments,
            hosted.HostedResult: self._hosted_result,
            hosted.Citation: lambda event: self._message().cite(event.location),
            hosted.TextEnd: self._text_end,
        }

    def add(self, event: turn.Event) -> list[StreamEvent]:
        """Add an event to the response, and return the stream events that report the change."""
        self._emitted = []
        self._handlers[type(event)](event)
        return self._emitted

    def fail(self, error: GatewayError) -> list[StreamEvent]:
        """End the response with an error, and return the stream events that report it."""
        error = translate_error(error, FIELD_NAMES)
        self._close_all("incomplete")
        self.is_over = True
        fail_response(self.response, error)
        details = {"type": error.type, "code": error.code, "message": error.message, "param": error.param}
        # OpenAI's reference puts the fields into the event itself, its servers and SDKs into an object.
        return [
            {**details, "type": "error", "error": details},
            {"type": "response.failed", "response": self.response},
        ]

    def _started(self, event: turn.Started) -> None:
        self.response |= {"model": event.model, "status": "in_progress", **served_tier(event)}
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

    def _remote_tools(self, event: remote.RemoteTools) -> None:
        _, index, emit = self._next_item("mcpl")
        self._open_item(ToolList(event, index, emit))
        self._close_item("completed")

    def _remote_call(self, event: remote.RemoteCall) -> None:
        _, index, emit = self._next_item("mcp")
        call = self._remote_calls[event.id] = McpCall(event, index, emit)
        self.response["output"].append(call.item)

    def _remote_arguments(self, event: remote.RemoteArguments) -> None:
        self._remote_calls[event.call_id].add_arguments(event.fragment)

    def _remote_result(self, event: remote.RemoteResult) -> None:
        call = self._remote_calls.pop(event.call_id)
        call.add_result(event)
        call.end("completed")

    def _hosted_call(self, event: hosted.HostedCall) -> None:
        search = self._searches[event.id] = WebSearchCall(*self._next_item("ws"), call=event)
        self.response["output"].append(search.item)

    def _hosted_arguments(self, event: hosted.HostedArguments) -> None:
        list(self._searches.values())[-1].add_arguments(event.fragment)

    def _hosted_result(self, event: hosted.HostedResult) -> None:
        search = self._searches.pop(event.call_id, None)
        if search is not None:
            search.add_result(event)
            search.end("completed")

    def _text_end(self, event: hosted.TextEnd) -> None:
        if isinstance(self._open, Message):
            self._open.end_text()

    def _next_item(self, prefix: str) -> tuple[str, int, Emit]:
        """End the open item, and return the id and index of the next one, and the function that takes its events."""
        self._close_item("completed")
        index = len(self.response["output"])
        own = str(self.response["id"]).partition("_")[2]
        return f"{prefix}_{own}{index:04x}", index, lambda emitted: self._emitted.append(emitted)

    def _open_item(self, output: Output) -> None:
        self._open = output
        self.response["output"].append(output.item)

    def _close_all(self, status: str) -> None:
        self._close_item(status)
        for waiting in (*self._searches.values(), *self._remote_calls.values()):
            waiting.end("incomplete")
        self._searches.clear()
        self._remote_calls.clear()

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
        self._close_all(status)
        self.response |= {
            "status": status,
            "completed_at": None if reason else int(time.time()),
            "incomplete_details": {"reason": reason} if reason else None,
            "usage": usage_object(event.usage),
        }
        self.is_over = True
        self._emitted.append({"type": f"response.{status}", "response": self.response})
