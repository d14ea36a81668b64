"""From the CLI's messages to the events of one answer.

One answer is one API message. The CLI would go on by itself after some endings (it asks the model to resume after
`max_tokens`, to try again after an empty answer or a refusal): there the answer is complete and `is_cut` says that the
process has to be ended before it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.claude.failures import Facts, failure, is_hopeless, read_retry
from gateway.errors import UpstreamError
from gateway.turn import Done, Event, Started, Text, Thinking, ToolArguments, ToolCall, Usage

Line = dict[str, Any]

GOES_ON_AFTER = frozenset({"max_tokens", "model_context_window_exceeded", "refusal"})


class Answer:
    """Reads one answer. `ignored` are the parameters the model could not take; `cost` prices a usage in USD for an
    answer that ends before the CLI's own figure."""

    def __init__(
        self, ignored: tuple[str, ...], cost: Callable[[Usage], float | None], paid: float = 0.0
    ) -> None:
        self.is_done = False
        self.is_cut = False
        self.started = False
        self.paid = paid  # USD the process has cost so far, this answer's included once it is done
        self._ignored = ignored
        self._cost = cost
        self._facts = Facts()
        self._stop_reason: str | None = None
        self._usage: dict[str, Any] = {}
        self._has_output = False
        self._calls: dict[int, int] = {}
        self._readers: dict[str, Callable[[dict[str, Any], list[Event]], None]] = {
            "content_block_delta": self._delta,
            "content_block_start": self._block,
            "message_start": self._start,
            "message_delta": self._message_delta,
        }

    def read(self, lines: Sequence[Line]) -> list[Event]:
        """The events of these messages. Raises the GatewayError that a failed turn means."""
        events: list[Event] = []
        for line in lines:
            kind = line["type"]
            if kind == "stream_event":
                if line.get("parent_tool_use_id") is None:
                    event = line["event"]
                    reader = self._readers.get(event["type"])
                    if reader is not None:
                        reader(event, events)
            else:
                self._message(kind, line, events)
            if self.is_done:
                break
        return events

    def _message(self, kind: str, line: Line, events: list[Event]) -> None:
        if kind == "result":
            self._result(line, events)
        elif kind == "assistant" and line.get("error"):
            self._facts.error = line["error"]
        elif kind == "system" and line.get("subtype") == "api_retry":
            self._retry(line)
        elif kind == "rate_limit_event":
            self._facts.resets_at = line.get("rate_limit_info", {}).get("resetsAt")

    def _start(self, event: dict[str, Any], events: list[Event]) -> None:
        message = event["message"]
        if self._stop_reason is not None:  # the CLI asked again by itself: the first message was the answer
            self._finish_early(events)
        elif self._has_output:
            raise UpstreamError("The connection to Anthropic's API broke in the middle of the answer.")
        elif not self.started:
            self.started = True
            events.append(Started(message["model"], self._ignored))
        self._usage = dict(message.get("usage") or {})

    def _block(self, event: dict[str, Any], events: list[Event]) -> None:
        block = event["content_block"]
        if block["type"] == "tool_use":
            self._has_output = True
            self._calls[event["index"]] = len(self._calls)
            events.append(ToolCall(self._calls[event["index"]], block["id"], block["name"]))
        elif block.get("text"):
            self._has_output = True
            events.append(Text(block["text"]))

    def _delta(self, event: dict[str, Any], events: list[Event]) -> None:
        delta = event["delta"]
        kind = delta["type"]
        if kind == "text_delta":
            self._has_output = True
            events.append(Text(delta["text"]))
        elif kind == "input_json_delta":
            if delta["partial_json"]:
                events.append(ToolArguments(self._calls[event["index"]], delta["partial_json"]))
        elif kind == "thinking_delta" and delta["thinking"]:
            events.append(Thinking(delta["thinking"]))

    def _message_delta(self, event: dict[str, Any], events: list[Event]) -> None:
        self._usage.update(
            {name: value for name, value in event.get("usage", {}).items() if value is not None}
        )
        self._stop_reason = event["delta"].get("stop_reason") or self._stop_reason
        if self._stop_reason in GOES_ON_AFTER or (self._stop_reason and not self._has_output):
            self._finish_early(events)

    def _finish_early(self, events: list[Event]) -> None:
        usage = _usage(self._usage, None)
        self.is_done = self.is_cut = True
        events.append(Done(self._stop_reason or "end_turn", _usage(self._usage, self._cost(usage))))

    def _retry(self, line: Line) -> None:
        facts = read_retry(line)
        if is_hopeless(facts):
            facts.resets_at = self._facts.resets_at
            raise failure(facts)
        if self._has_output:
            raise UpstreamError("The connection to Anthropic's API broke in the middle of the answer.")

    def _result(self, line: Line, events: list[Event]) -> None:
        if line.get("is_error") or not self.started:
            self._facts.status = line.get("api_error_status")
            self._facts.terminal_reason = line.get("terminal_reason")
            self._facts.message = str(line.get("result") or "; ".join(line.get("errors", [])))
            raise failure(self._facts)
        self.is_done = True
        total = line["total_cost_usd"]
        usage = _usage(line["usage"], total - self.paid)
        self.paid = total
        events.append(Done(line.get("stop_reason") or self._stop_reason or "end_turn", usage))


def _usage(raw: dict[str, Any], cost: float | None) -> Usage:
    return Usage(
        input_tokens=raw.get("input_tokens") or 0,
        cache_read_tokens=raw.get("cache_read_input_tokens") or 0,
        cache_write_tokens=raw.get("cache_creation_input_tokens") or 0,
        output_tokens=raw.get("output_tokens") or 0,
        thinking_tokens=(raw.get("output_tokens_details") or {}).get("thinking_tokens") or 0,
        cost_usd=cost,
    )
