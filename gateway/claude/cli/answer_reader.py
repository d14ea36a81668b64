"""Turn the CLI's messages into the events of one answer.

An answer is one API message. Structured output and agents take several messages: see `structured_reader` and
`agent_reader`.

After some stop reasons the CLI would continue on its own. It asks the model to resume after `max_tokens`, and to try
again after an empty answer or a refusal. The reader ends the answer there and sets `is_cut`: the model must be
interrupted, or the process killed, before it continues. An answer that ends with calls of the client's tools leaves
the CLI waiting for their results.

For example, the CLI's messages for a one-word answer and the events that `read` returns for them:

    message_start, content_block_start, content_block_delta, message_delta, result
    Started("claude-…"), Text("Hello"), Done("end_turn", Usage(…))
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from typing import Any, cast

from gateway.accounts.states import Window
from gateway.approvals import ApprovalRequest
from gateway.claude.cli import protocol
from gateway.claude.cli.api_usage import apply_speed, parse_usage
from gateway.claude.cli.call_arguments import UnmappedArguments, read_call_input
from gateway.claude.cli.failures import FailureFacts, classify_failure, is_hopeless, read_retry
from gateway.claude.cli.lines import UNEXPECTED, explain_unexpected
from gateway.claude.cli.rate_limits import parse_windows
from gateway.claude.cli.tools import ToolSet
from gateway.errors import GatewayError, UpstreamError
from gateway.partial_json import close_json
from gateway.serving import Serving
from gateway.turn import (
    Block,
    Done,
    Event,
    Message,
    RedactedThinking,
    Started,
    Text,
    Thinking,
    ThinkingSignature,
    ToolArguments,
    ToolCall,
    Usage,
)

# The CLI continues on its own after these stop reasons.
CONTINUES_AFTER = frozenset({"max_tokens", "model_context_window_exceeded", "refusal"})
CHARACTERS_PER_TOKEN = 4  # a rough average for English, to estimate the usage of an answer that was cut off
BROKEN = "The connection to Anthropic's API broke in the middle of the answer. Try again."


@dataclass(slots=True)
class UsageLedger:
    """The usage that earlier answers of a process have already reported.

    The CLI's `result` adds up the cost since the process started, and the tokens since its turn began. A new answer
    reports the difference to the ledger: `paid_usd` for the cost, `reported` for the tokens.
    """

    paid_usd: float = 0.0
    reported: Usage = field(default_factory=Usage)

    def settle(self, result: protocol.ResultMessage) -> None:
        """Take over the cost at the end of a turn."""
        self.paid_usd, self.reported = result["total_cost_usd"], Usage()


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """The facts about a turn that the reader of its answer needs.

    `ignored` names the parameters that the model does not take. `tools` are the client's. `price` returns the cost of a
    usage in USD, for answers that end before the CLI reports a cost. `resumed_model` is the full name of the model if
    the answer continues a message of it that is complete. `serving` has the wishes of the client that were sent.
    """

    ignored: tuple[str, ...]
    tools: ToolSet
    price: Callable[[Usage], float | None]
    ledger: UsageLedger
    resumed_model: str = ""
    serving: Serving = field(default_factory=Serving)


class AnswerReader:
    """Reads one answer.

    `Conversation` makes a reader when a question is on its way, and calls `read` with each batch of messages until
    `is_done` is true or `failure` is set. `calls` and `approvals` are what the CLI waits for then. `Run` reads
    `started`, `has_thought`, `usage_so_far` and `to_message`.
    """

    def __init__(self, context: AnswerContext) -> None:
        self.is_done = False
        self.is_cut = False
        self.has_result = False
        self.failure: GatewayError | None = None
        self.started = False
        self.has_thought = False
        self.stop_sequence: str | None = None
        self.calls: list[ToolCall] = []
        self.approvals: list[ApprovalRequest] = []
        self.model = context.resumed_model
        self.rate_limit_windows: dict[str, Window] = {}
        self._context = context
        self._session = ""
        self._facts = FailureFacts()
        self._stop_reason: str | None = None
        self._context_management: Mapping[str, Any] | None = None
        self._usage: protocol.ApiUsage = {}
        self._has_output = False
        self._called_unknown_tool = False
        self._text = StringIO()
        self._thinking_characters = 0
        self._final_usage: Usage | None = None
        self._arguments: list[list[str]] = []
        self._call_of_block: dict[int, int] = {}
        self._unmapped: dict[int, UnmappedArguments] = {}

    def read(self, messages: Sequence[protocol.CliMessage]) -> list[Event]:
        """Return the events of these messages.

        If the turn failed, `failure` is the error that follows the returned events.
        """
        events: list[Event] = []
        try:
            for message in messages:
                try:
                    if message["type"] == "stream_event":
                        self._read_event(message, events)
                    else:
                        self._read_message(message, events)
                except UNEXPECTED as error:
                    raise explain_unexpected(message, error) from error
                if self.is_done:
                    break
        except GatewayError as error:
            self.failure = error
        return events

    def finish_early(self, stop_reason: str, events: list[Event]) -> None:
        """End the answer here. The model must be stopped before it continues."""
        self.is_cut = True
        self._finish(stop_reason, events)

    def to_message(self) -> Message:
        """Return the answer as the assistant message that a client will send back."""
        text = self._text.getvalue()
        blocks: list[Block] = [{"type": "text", "text": text}] if text else []
        for call, fragments in zip(self.calls, self._arguments, strict=True):
            arguments = read_call_input("".join(fragments))
            blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
        return Message("assistant", tuple(blocks))

    def usage_so_far(self) -> tuple[Usage, bool]:
        """Return the usage until now, and True if its output tokens are an estimate.

        The API reports the output tokens only at the end of a message. For an answer that was cut off they are
        estimated from its length.
        """
        if self._final_usage is not None:
            return self._final_usage, False
        usage = self._reported_usage()
        written = self._text.tell() + sum(len(part) for parts in self._arguments for part in parts)
        tokens = -(-(written + self._thinking_characters) // CHARACTERS_PER_TOKEN)
        usage = replace(usage, output_tokens=max(usage.output_tokens, tokens))
        return usage.with_cost(self._price(usage) if self.started else None), tokens > 0

    def _reported_usage(self) -> Usage:
        """Return what the API has reported about the answer so far."""
        return parse_usage(self._usage)

    def _read_event(self, message: protocol.StreamEventMessage, events: list[Event]) -> None:
        if message.get("parent_tool_use_id") is not None:  # a subagent's
            return
        event = message["event"]
        if event["type"] == "content_block_delta":
            self._read_delta(event, events)
        elif event["type"] == "content_block_start":
            self._start_block(event, events)
        elif event["type"] == "message_start":
            self._start_message(event, events)
        elif event["type"] == "message_delta":
            self._end_message(event, events)
        elif event["type"] == "content_block_stop":
            self._end_block(event, events)

    def _read_message(self, message: protocol.CliMessage, events: list[Event]) -> None:
        if message["type"] == "result":
            self._read_result(message, events)
        elif message["type"] == "assistant" and message.get("error"):
            self._facts.error = message["error"]
        elif message["type"] == "system":
            self._read_system(message)
        elif message["type"] == "rate_limit_event":
            info = message.get("rate_limit_info") or {}
            self._facts.resets_at = info.get("resetsAt")
            self.rate_limit_windows |= parse_windows(info)

    def _read_system(self, message: protocol.SystemMessage) -> None:
        if message.get("subtype") == "api_retry":
            self._read_retry(message)
        elif message.get("subtype") == "init":
            self._session = message.get("session_id", "")

    def _start_message(self, event: protocol.MessageStart, events: list[Event]) -> None:
        message = event["message"]
        if self._stop_reason is not None:
            self._start_next_message(events)
        elif self._has_output:
            raise UpstreamError(BROKEN)
        usage = message.get("usage") or {}
        if not self.started:
            self.model = message["model"]
            self._start(usage, events)
        self._usage = usage.copy()

    def _start(self, usage: protocol.ApiUsage, events: list[Event]) -> None:
        """Report the start of the answer. The CLI leaves fast mode out if the account has none left."""
        self.started = True
        speed, ignored = usage.get("speed") or "", self._context.ignored
        if self._context.serving.fast and speed not in ("", "fast"):
            ignored += ("fast",)
        tier = usage.get("service_tier") or ""
        events.append(
            Started(self.model, ignored, parse_usage(usage), self._session, speed=speed, service_tier=tier)
        )

    def _price(self, usage: Usage) -> float | None:
        """Return the cost of a usage by the price table."""
        return apply_speed(self._context.price(usage), usage, self._usage)

    def _start_next_message(self, events: list[Event]) -> None:
        """End the answer: the CLI has asked the model again, but the first message was the answer."""
        self.finish_early(self._stop_reason or "end_turn", events)

    def _start_block(self, event: protocol.ContentBlockStart, events: list[Event]) -> None:
        block = event["content_block"]
        if block["type"] == "tool_use":
            self._start_call(event["index"], block, events)
        elif block["type"] in ("thinking", "redacted_thinking"):
            self.has_thought = True
            if block.get("data"):
                self._add_proof(RedactedThinking(block["data"]), events)
        elif block.get("text"):
            self._read_text(block["text"], events)

    def _start_call(self, index: int, block: Block, events: list[Event]) -> None:
        tool = self._context.tools.find(block["name"])
        if tool is None:  # the model invented the tool, and the CLI would ask it again
            self._called_unknown_tool = True
        call = ToolCall(len(self.calls), block["id"], tool.name if tool else block["name"])
        self._has_output = True
        self._call_of_block[index] = call.index
        if tool is not None and tool.mapping is not None:
            self._unmapped[index] = UnmappedArguments(tool.mapping)
        self.calls.append(call)
        self._arguments.append([])
        events.append(call)

    def _read_delta(self, event: protocol.ContentBlockDelta, events: list[Event]) -> None:
        delta = event["delta"]
        if delta["type"] == "text_delta":
            self._read_text(delta["text"], events)
        elif delta["type"] == "input_json_delta":
            self._read_arguments(event["index"], delta["partial_json"], events)
        elif delta["type"] == "thinking_delta" and delta["thinking"]:
            self._add_thinking(delta["thinking"], events)
        elif delta["type"] == "signature_delta" and delta["signature"]:
            self._add_proof(ThinkingSignature(delta["signature"]), events)

    def _read_text(self, text: str, events: list[Event]) -> None:
        self._add_text(text, events)

    def _add_text(self, text: str, events: list[Event]) -> None:
        if text:
            self._has_output = True
            self._text.write(text)
            events.append(Text(text))

    def _add_thinking(self, text: str, events: list[Event]) -> None:
        self._thinking_characters += len(text)
        if not self._context.serving.hides_thinking:
            events.append(Thinking(text))

    def _add_proof(self, event: ThinkingSignature | RedactedThinking, events: list[Event]) -> None:
        events.append(event)

    def _read_arguments(self, index: int, fragment: str, events: list[Event]) -> None:
        if index in self._unmapped:
            self._unmapped[index].fragments.append(fragment)
        elif fragment:
            self._add_arguments(index, fragment, events)

    def _add_arguments(self, index: int, fragment: str, events: list[Event]) -> None:
        call = self._call_of_block[index]
        self._arguments[call].append(fragment)
        events.append(ToolArguments(call, fragment))

    def _end_block(self, event: protocol.ContentBlockStop, events: list[Event]) -> None:
        unmapped = self._unmapped.pop(event["index"], None)
        if unmapped is not None and (arguments := unmapped.to_client()):
            self._add_arguments(event["index"], arguments, events)

    def _end_message(self, event: protocol.MessageDelta, events: list[Event]) -> None:
        self._update_usage(event)
        self.stop_sequence = event["delta"].get("stop_sequence")
        context = event.get("context_management") or {}
        self._context_management = context if context.get("applied_edits") else None
        if self._stop_reason == "tool_use" and self.calls and not self._called_unknown_tool:
            self._finish("tool_use", events)
        elif self._would_continue():
            self.finish_early(self._stop_reason or "end_turn", events)

    def _update_usage(self, event: protocol.MessageDelta) -> None:
        reported = {name: value for name, value in event.get("usage", {}).items() if value is not None}
        self._usage = cast(protocol.ApiUsage, {**self._usage, **reported})
        self._stop_reason = event["delta"].get("stop_reason") or self._stop_reason

    def _would_continue(self) -> bool:
        """Return True if the CLI is about to ask the model again."""
        if self._stop_reason is None:
            return False
        return self._called_unknown_tool or self._stop_reason in CONTINUES_AFTER or not self._has_output

    def _finish(self, stop_reason: str, events: list[Event]) -> None:
        """End before the CLI's `result`: take the usage from the message and the cost from the price table."""
        usage = self._reported_usage()
        cost = self._price(usage)
        ledger = self._context.ledger
        ledger.paid_usd += cost or 0.0
        ledger.reported += usage
        self._end(stop_reason, usage.with_cost(cost), events)

    def _end(self, stop_reason: str, usage: Usage, events: list[Event]) -> None:
        self.is_done = True
        self._final_usage = usage
        if stop_reason != "tool_use":
            self._close_cut_call(events)
        events.append(Done(stop_reason, usage, self.stop_sequence, self._context_management))

    def _close_cut_call(self, events: list[Event]) -> None:
        """Complete the JSON of a call that was cut off: clients parse it, and send it back with the conversation."""
        written = "".join(self._arguments[-1]) if self._arguments else ""
        closing = close_json(written) if written else ""
        if closing:
            self._arguments[-1].append(closing)
            events.append(ToolArguments(len(self.calls) - 1, closing))

    def _read_retry(self, message: protocol.SystemMessage) -> None:
        facts = read_retry(message)
        if is_hopeless(facts):
            facts.resets_at = self._facts.resets_at
            raise classify_failure(facts)
        if self._has_output:
            raise UpstreamError(BROKEN)

    def _read_result(self, result: protocol.ResultMessage, events: list[Event]) -> None:
        self.has_result = True
        if result.get("is_error") or not self.started:
            self._facts.status = result.get("api_error_status")
            self._facts.terminal_reason = result.get("terminal_reason")
            self._facts.message = str(result.get("result") or "; ".join(result.get("errors", [])))
            raise classify_failure(self._facts)
        self._complete(result, events)

    def _complete(self, result: protocol.ResultMessage, events: list[Event]) -> None:
        ledger, total = self._context.ledger, result["total_cost_usd"]
        usage = parse_usage(result["usage"]) - ledger.reported
        cost = max(0.0, total - ledger.paid_usd)
        ledger.settle(result)
        reason = result.get("stop_reason") or self._stop_reason or "end_turn"
        self._end(reason, usage.with_cost(cost), events)
