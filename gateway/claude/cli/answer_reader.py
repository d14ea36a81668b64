"""From the CLI's messages to the events of one answer.

One answer is one API message, but for structured output, where the CLI itself asks again until the schema is met.
Elsewhere the CLI would go on by itself after some endings (it asks the model to resume after `max_tokens`, to try again
after an empty answer or a refusal): there the answer is complete and `is_cut` says that the process has to be ended
before it goes on. An answer that ends with calls of the client's tools leaves the CLI waiting for their results.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from typing import Any

from gateway.claude.cli.failures import Facts, failure, is_hopeless, read_retry
from gateway.claude.cli.rate_limits import RateLimitWindow, windows
from gateway.claude.cli.tools import PREFIX
from gateway.errors import GatewayError, InvalidRequest, UpstreamError
from gateway.turn import (
    Block,
    Done,
    Event,
    Message,
    Refusal,
    Retracted,
    Started,
    Text,
    Thinking,
    ToolArguments,
    ToolCall,
    Usage,
)

Line = dict[str, Any]

GOES_ON_AFTER = frozenset({"max_tokens", "model_context_window_exceeded", "refusal"})
STRUCTURED = "StructuredOutput"  # the CLI's tool for `jsonSchema`
CHARACTERS_PER_TOKEN = 4  # about, in English
BROKEN = "The connection to Anthropic's API broke in the middle of the answer."


@dataclass(slots=True)
class UsageLedger:
    """What a process has used: USD in all, and the tokens of the CLI's present turn that were reported already."""

    paid: float = 0.0
    reported: Usage = field(default_factory=Usage)


class Answer:
    """Reads one answer.

    `ignored` are the parameters the model could not take; `names` leads from the model's tool names to the
    client's; `cost` prices a usage in USD for an answer that ends before the CLI's own figure.
    """

    def __init__(
        self,
        ignored: tuple[str, ...],
        names: Mapping[str, str],
        cost: Callable[[Usage], float | None],
        account: UsageLedger,
    ) -> None:
        self.is_done = False
        self.is_cut = False
        self.failure: GatewayError | None = None
        self.started = False
        self.has_thought = False
        self.stop_sequence: str | None = None
        self.calls: list[ToolCall] = []
        self.windows: dict[str, RateLimitWindow] = {}
        self._ignored = ignored
        self._names = names
        self._cost = cost
        self._account = account
        self._session = ""
        self._facts = Facts()
        self._stop_reason: str | None = None
        self._usage: dict[str, Any] = {}
        self._has_output = False
        self._invented = False
        self._said = StringIO()
        self._thought = 0
        self._done: Usage | None = None
        self._arguments: list[list[str]] = []
        self._open: dict[int, int] = {}
        self._readers: dict[str, Callable[[dict[str, Any], list[Event]], None]] = {
            "content_block_delta": self._delta,
            "content_block_start": self._block,
            "message_start": self._start,
            "message_delta": self._message_delta,
        }

    def read(self, lines: Sequence[Line]) -> list[Event]:
        """The events of these messages; `failure` is the GatewayError that comes behind them, if the turn failed."""
        events: list[Event] = []
        try:
            for line in lines:
                self._line(line, events)
                if self.is_done:
                    break
        except GatewayError as error:
            self.failure = error
        return events

    def _line(self, line: Line, events: list[Event]) -> None:
        kind = line["type"]
        if kind != "stream_event":
            self._message(kind, line, events)
        elif line.get("parent_tool_use_id") is None:
            event = line["event"]
            reader = self._readers.get(event["type"])
            if reader is not None:
                reader(event, events)

    def finish_early(self, stop_reason: str, events: list[Event]) -> None:
        """End the answer here; the process has to be ended before it goes on."""
        self.is_cut = True
        self._finish(stop_reason, events)

    def message(self) -> Message:
        """The answer as the assistant's message, as a client will send it back."""
        text = self._said.getvalue()
        blocks: list[Block] = [{"type": "text", "text": text}] if text else []
        for call, fragments in zip(self.calls, self._arguments, strict=True):
            arguments = json.loads("".join(fragments) or "{}")
            blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
        return Message("assistant", tuple(blocks))

    def used(self) -> tuple[Usage, bool]:
        """What this answer has used until now, and whether its output is an estimate.

        The API tells the output of an answer at its end only; of one that broke off the characters are counted.
        """
        if self._done is not None:
            return self._done, False
        usage = self._counted()
        written = self._said.tell() + sum(len(part) for parts in self._arguments for part in parts)
        tokens = -(-(written + self._thought) // CHARACTERS_PER_TOKEN)
        usage = replace(usage, output_tokens=max(usage.output_tokens, tokens))
        return with_cost(usage, self._cost(usage) if self.started else None), tokens > 0

    def _counted(self) -> Usage:
        """What the API has told of the answer's usage."""
        return _usage(self._usage)

    def _message(self, kind: str, line: Line, events: list[Event]) -> None:
        if kind == "result":
            self._result(line, events)
        elif kind == "assistant" and line.get("error"):
            self._facts.error = line["error"]
        elif kind == "system":
            self._system(line)
        elif kind == "rate_limit_event":
            info = line.get("rate_limit_info") or {}
            self._facts.resets_at = info.get("resetsAt")
            self.windows |= windows(info)

    def _system(self, line: Line) -> None:
        if line.get("subtype") == "api_retry":
            self._retry(line)
        elif line.get("subtype") == "init":
            self._session = line.get("session_id", "")

    def _start(self, event: dict[str, Any], events: list[Event]) -> None:
        message = event["message"]
        if self._stop_reason is not None:
            self._next_message(events)
        elif self._has_output:
            raise UpstreamError(BROKEN)
        if not self.started:
            self.started = True
            usage = _usage(message.get("usage") or {})
            events.append(Started(message["model"], self._ignored, usage, self._session))
        self._usage = dict(message.get("usage") or {})

    def _next_message(self, events: list[Event]) -> None:
        """The CLI asked again by itself: the first message was the answer."""
        self.finish_early(self._stop_reason or "end_turn", events)

    def _block(self, event: dict[str, Any], events: list[Event]) -> None:
        block = event["content_block"]
        if block["type"] == "tool_use":
            self._call(event["index"], block, events)
        elif block["type"] in ("thinking", "redacted_thinking"):
            self.has_thought = True
        elif block.get("text"):
            self._text(block["text"], events)

    def _call(self, index: int, block: dict[str, Any], events: list[Event]) -> None:
        name = self._names.get(block["name"])
        if name is None:  # made up by the model: the CLI would tell it so and go on
            self._invented = True
            name = block["name"].removeprefix(PREFIX)
        call = ToolCall(len(self.calls), block["id"], name)
        self._has_output = True
        self._open[index] = call.index
        self.calls.append(call)
        self._arguments.append([])
        events.append(call)

    def _text(self, text: str, events: list[Event]) -> None:
        if text:
            self._has_output = True
            self._said.write(text)
            events.append(Text(text))

    def _delta(self, event: dict[str, Any], events: list[Event]) -> None:
        delta = event["delta"]
        kind = delta["type"]
        if kind == "text_delta":
            self._text(delta["text"], events)
        elif kind == "input_json_delta":
            self._fragment(event["index"], delta["partial_json"], events)
        elif kind == "thinking_delta" and delta["thinking"]:
            self._thought += len(delta["thinking"])
            events.append(Thinking(delta["thinking"]))

    def _fragment(self, index: int, fragment: str, events: list[Event]) -> None:
        if fragment:
            call = self._open[index]
            self._arguments[call].append(fragment)
            events.append(ToolArguments(call, fragment))

    def _message_delta(self, event: dict[str, Any], events: list[Event]) -> None:
        self._usage.update(
            {name: value for name, value in event.get("usage", {}).items() if value is not None}
        )
        self._stop_reason = event["delta"].get("stop_reason") or self._stop_reason
        self.stop_sequence = event["delta"].get("stop_sequence")
        if self._stop_reason == "tool_use" and self.calls and not self._invented:
            self._finish("tool_use", events)
        elif self._goes_on():
            self.finish_early(self._stop_reason or "end_turn", events)

    def _goes_on(self) -> bool:
        """Whether the CLI would ask the model again by itself."""
        if self._stop_reason is None:
            return False
        return self._invented or self._stop_reason in GOES_ON_AFTER or not self._has_output

    def _finish(self, stop_reason: str, events: list[Event]) -> None:
        """Done before the CLI's `result`: the usage is the message's own, the cost is by the price table."""
        usage = self._counted()
        cost = self._cost(usage)
        self._account.paid += cost or 0.0
        self._account.reported = plus(self._account.reported, usage)
        self._end(stop_reason, with_cost(usage, cost), events)

    def _end(self, stop_reason: str, usage: Usage, events: list[Event]) -> None:
        self.is_done = True
        self._done = usage
        events.append(Done(stop_reason, usage, self.stop_sequence))

    def _retry(self, line: Line) -> None:
        facts = read_retry(line)
        if is_hopeless(facts):
            facts.resets_at = self._facts.resets_at
            raise failure(facts)
        if self._has_output:
            raise UpstreamError(BROKEN)

    def _result(self, line: Line, events: list[Event]) -> None:
        if line.get("is_error") or not self.started:
            self._facts.status = line.get("api_error_status")
            self._facts.terminal_reason = line.get("terminal_reason")
            self._facts.message = str(line.get("result") or "; ".join(line.get("errors", [])))
            raise failure(self._facts)
        self._complete(line, events)

    def _complete(self, line: Line, events: list[Event]) -> None:
        total = line["total_cost_usd"]
        usage = minus(_usage(line["usage"]), self._account.reported)
        cost = max(0.0, total - self._account.paid)
        self._account.paid, self._account.reported = total, Usage()
        reason = line.get("stop_reason") or self._stop_reason or "end_turn"
        self._end(reason, with_cost(usage, cost), events)


class StructuredAnswer(Answer):
    """An answer that has to follow a schema: the arguments of the CLI's StructuredOutput tool are its text.

    Other text is held back: before the client's tool calls it counts as thinking, and it is a refusal if no output
    follows.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._held: list[str] = []
        self._output: int | None = None

    def _system(self, line: Line) -> None:
        super()._system(line)
        if line.get("subtype") == "init" and STRUCTURED not in line.get("tools", ()):
            raise InvalidRequest(
                "Invalid 'response_format': the schema is not one that the model can follow.",
                param="response_format.json_schema.schema",
                code="invalid_json_schema",
            )

    def _next_message(self, events: list[Event]) -> None:
        self._stop_reason = None
        self._has_output = False
        self._held.clear()
        self._retract(events)

    def _retract(self, events: list[Event]) -> None:
        if self._said.tell():
            self._said = StringIO()
            events.append(Retracted())

    def _call(self, index: int, block: dict[str, Any], events: list[Event]) -> None:
        if block["name"] == STRUCTURED:
            self._output = index
            self._has_output = True
            return
        if self._held:
            # Clients parse whatever text comes as the output, so words before a call go where thinking goes.
            events.append(Thinking("".join(self._held)))
            self._held.clear()
        super()._call(index, block, events)

    def _text(self, text: str, events: list[Event]) -> None:
        self._has_output = True
        self._held.append(text)

    def _fragment(self, index: int, fragment: str, events: list[Event]) -> None:
        if index == self._output:
            if fragment:
                Answer._text(self, fragment, events)
        else:
            super()._fragment(index, fragment, events)

    def _complete(self, line: Line, events: list[Event]) -> None:
        if line.get("structured_output") is None:
            self._retract(events)
            events.append(Refusal(str(line.get("result") or "")))
        elif not self._said.tell():
            Answer._text(self, json.dumps(line["structured_output"]), events)
        super()._complete({**line, "stop_reason": "end_turn"}, events)


def _usage(raw: dict[str, Any]) -> Usage:
    return Usage(
        input_tokens=raw.get("input_tokens") or 0,
        cache_read_tokens=raw.get("cache_read_input_tokens") or 0,
        cache_write_tokens=raw.get("cache_creation_input_tokens") or 0,
        output_tokens=raw.get("output_tokens") or 0,
        thinking_tokens=(raw.get("output_tokens_details") or {}).get("thinking_tokens") or 0,
    )


def plus(one: Usage, other: Usage, sign: int = 1) -> Usage:
    """Tokens added up; costs are left out."""
    return Usage(
        input_tokens=one.input_tokens + sign * other.input_tokens,
        cache_read_tokens=one.cache_read_tokens + sign * other.cache_read_tokens,
        cache_write_tokens=one.cache_write_tokens + sign * other.cache_write_tokens,
        output_tokens=one.output_tokens + sign * other.output_tokens,
        thinking_tokens=one.thinking_tokens + sign * other.thinking_tokens,
    )


def minus(one: Usage, other: Usage) -> Usage:
    """What of `one` is not in `other`."""
    return plus(one, other, -1)


def with_cost(usage: Usage, cost: float | None) -> Usage:
    """The usage with its price in USD."""
    return replace(usage, cost_usd=cost)
