"""Events of a turn as a response object, and as the stream of semantic events that builds it.

Shapes: https://platform.openai.com/docs/api-reference/responses/object and …/responses-streaming. `usage.cost` is in
US dollars.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from gateway.dialects.chat.answers import usage_object as chat_usage
from gateway.dialects.common.field_errors import retracted
from gateway.dialects.responses.output import Call, Emit, Emitted, Message, Output, Reasoning
from gateway.dialects.responses.request import renamed
from gateway.errors import GatewayError, InvalidRequest, RateLimited, TurnStopped
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

Response = dict[str, Any]
#: Gets a response that is over.
OnEnd = Callable[[Response], None]

# Why an answer is not complete, by the Messages API's stop reason.
INCOMPLETE = {
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "refusal": "content_filter",
}


def new_response(response_id: str, model: str, echoed: Response, status: str = "in_progress") -> Response:
    """A response that has no output yet. `echoed` repeats the request."""
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


def usage_object(usage: Usage) -> dict[str, Any]:
    """OpenAI's usage: `input_tokens` includes what was read from and written to the cache."""
    counted = chat_usage(usage)
    return {
        "input_tokens": counted.pop("prompt_tokens"),
        "input_tokens_details": counted.pop("prompt_tokens_details"),
        "output_tokens": counted.pop("completion_tokens"),
        "output_tokens_details": counted.pop("completion_tokens_details"),
        **counted,
    }


def fail_response(response: Response, error: GatewayError) -> None:
    """Let the response end with an error, in the few words that the API has for its code."""
    response["status"] = "cancelled" if isinstance(error, TurnStopped) else "failed"
    if response["status"] == "failed":
        response["error"] = {"code": _failure_code(error), "message": error.message}


def _failure_code(error: GatewayError) -> str:
    if isinstance(error, RateLimited):
        return "rate_limit_exceeded"
    return "invalid_prompt" if isinstance(error, InvalidRequest) else "server_error"


class ResponseBuilder:
    """A response that grows: give it events, it gives what a stream says of them, without sequence numbers.

    `can_retract`: nobody has read what is void now.
    """

    def __init__(self, response: Response, *, with_summary: bool, can_retract: bool) -> None:
        self.response = response
        self.is_over = False
        self._with_summary = with_summary
        self._can_retract = can_retract
        self._emitted: list[Emitted] = []
        self._open: Output | None = None
        self._calls: dict[int, Call] = {}
        self._takers: dict[type, Callable[[Any], None]] = {
            Started: self._started,
            Text: lambda event: self._message().text(event.text),
            Refusal: lambda event: self._message().refusal(event.text),
            Thinking: lambda event: self._reasoning().thought(event.text),
            ToolCall: self._tool_call,
            ToolArguments: lambda event: self._calls[event.index].arguments(event.fragment),
            Retracted: self._retracted,
            Idle: lambda event: None,
            Done: self._done,
        }

    def take(self, event: Event) -> list[Emitted]:
        """What happens to the response by an event."""
        self._emitted = []
        self._takers[type(event)](event)
        return self._emitted

    def fail(self, error: GatewayError) -> list[Emitted]:
        """The response ends with an error."""
        error = renamed(error)
        self._close("incomplete")
        self.is_over = True
        fail_response(self.response, error)
        told = {"type": error.type, "code": error.code, "message": error.message, "param": error.param}
        # OpenAI's reference has the fields in the event itself, its servers and SDKs in an object.
        return [
            {**told, "type": "error", "error": told},
            {"type": "response.failed", "response": self.response},
        ]

    def _started(self, event: Started) -> None:
        self.response |= {"model": event.model, "status": "in_progress"}
        for kind in ("created", "in_progress"):
            self._emitted.append({"type": f"response.{kind}", "response": self.response})

    def _message(self) -> Message:
        if not isinstance(self._open, Message):
            self._begin(Message(*self._next("msg")))
        return cast(Message, self._open)

    def _reasoning(self) -> Reasoning:
        if not isinstance(self._open, Reasoning):
            self._begin(Reasoning(*self._next("rs"), with_summary=self._with_summary))
        return cast(Reasoning, self._open)

    def _tool_call(self, event: ToolCall) -> None:
        call = Call(*self._next("fc"), call_id=event.id, name=event.name)
        self._calls[event.index] = call
        self._begin(call)

    def _next(self, prefix: str) -> tuple[str, int, Emit]:
        """For the item that comes next: its id, its index, and where its events go. The one before it ends."""
        self._close("completed")
        index = len(self.response["output"])
        own = str(self.response["id"]).partition("_")[2]
        return f"{prefix}_{own}{index:04x}", index, lambda emitted: self._emitted.append(emitted)

    def _begin(self, output: Output) -> None:
        self._open = output
        self.response["output"].append(output.item)

    def _close(self, status: str) -> None:
        if self._open is not None:
            self._open.end(status)
            self._open = None

    def _retracted(self, event: Retracted) -> None:
        if not self._can_retract:
            raise retracted()
        self._close("incomplete")
        output = self.response["output"]
        output[:] = [item for item in output if item["type"] != "message"]

    def _done(self, event: Done) -> None:
        reason = INCOMPLETE.get(event.stop_reason)
        status = "incomplete" if reason else "completed"
        self._close(status)
        self.response |= {
            "status": status,
            "completed_at": None if reason else int(time.time()),
            "incomplete_details": {"reason": reason} if reason else None,
            "usage": usage_object(event.usage),
        }
        self.is_over = True
        self._emitted.append({"type": f"response.{status}", "response": self.response})
