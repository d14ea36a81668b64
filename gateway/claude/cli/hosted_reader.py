"""Read an answer in which the model may call hosted tools, such as web search.

The API runs these tools, and their calls and results are blocks of the answer. A long answer may end with the stop
reason `pause_turn`: the API wants the same conversation once more, to continue it. An empty message makes the CLI ask
again, and sends nothing in its place. So the client gets one answer:

    message_start, …, message_delta (pause_turn), result   →  Started(…), …
    user message without content                           →  (the answer is not over)
    message_start, …, message_delta (end_turn), result     →  …, Done("end_turn", the usage of both)
"""

from typing import Any

from gateway.claude.cli import protocol
from gateway.claude.cli.answer_reader import AnswerContext, AnswerReader
from gateway.claude.cli.api_usage import parse_usage
from gateway.claude.cli.structured_reader import FormattedAnswerReader, StructuredAnswerReader
from gateway.hosted import Citation, HostedArguments, HostedCall, HostedResult, TextEnd
from gateway.partial_json import load_cut_object
from gateway.turn import THINKING, Block, Event, Message, Usage

PAUSE = "pause_turn"
MAX_PAUSES = 16  # an answer that pauses more often ends there

_OWN_BLOCKS = frozenset({"text", "tool_use", *THINKING})


class HostedAnswerReader(AnswerReader):
    """Reads the blocks of hosted tools too.

    After each `read`, `Conversation` asks `take_pause` whether the API waits to be asked again.
    """

    _reports_texts = True

    def __init__(self, context: AnswerContext, *details: Any) -> None:
        super().__init__(context, *details)
        self._hosted_blocks: list[Block] = []
        self._citations: list[Any] = []
        self._input: list[str] = []  # of the hosted call that is open
        self._open_call: int | None = None
        self._open_text: int | None = None
        self._earlier_usage = Usage()
        self._pauses = 0
        self._is_paused = False

    def take_pause(self) -> bool:
        """Return True if the answer has paused since the last call."""
        is_paused, self._is_paused = self._is_paused, False
        return is_paused

    def to_message(self) -> Message:
        """Return the answer as the assistant message that a client will send back. Hosted blocks are last."""
        message = super().to_message()
        cited: list[Block] = (
            [{"type": "text", "text": "", "citations": self._citations}] if self._citations else []
        )
        return Message("assistant", (*message.content, *cited, *self._hosted_blocks))

    def usage_so_far(self) -> tuple[Usage, bool]:
        """Return the usage until now, and True if its output tokens are an estimate."""
        usage, is_estimated = super().usage_so_far()
        return (usage if self.is_done else self._earlier_usage + usage), is_estimated

    def _start_block(self, event: protocol.ContentBlockStart, events: list[Event]) -> None:
        block = event["content_block"]
        if block["type"] == "server_tool_use":
            self._has_output = True
            self._open_call, self._input = event["index"], []
            self._hosted_blocks.append(block)
            events.append(HostedCall(block))
        elif block["type"] not in _OWN_BLOCKS:
            self._has_output = True
            self._hosted_blocks.append(block)
            events.append(HostedResult(block))
        else:
            if block["type"] == "text":
                self._open_text = event["index"]
            super()._start_block(event, events)

    def _read_delta(self, event: protocol.ContentBlockDelta, events: list[Event]) -> None:
        delta = event["delta"]
        if delta["type"] == "citations_delta":
            self._citations.append(delta["citation"])
            events.append(Citation(delta["citation"]))
        elif event["index"] == self._open_call:
            fragment = delta["partial_json"]
            if fragment:
                self._input.append(fragment)
                events.append(HostedArguments(fragment))
        else:
            super()._read_delta(event, events)

    def _end_block(self, event: protocol.ContentBlockStop, events: list[Event]) -> None:
        if event["index"] == self._open_call:
            self._open_call = None
            called = self._hosted_blocks[-1]
            self._hosted_blocks[-1] = {**called, "input": load_cut_object("".join(self._input))}
        elif event["index"] == self._open_text:
            self._open_text = None
            if self._reports_texts:
                events.append(TextEnd())
        else:
            super()._end_block(event, events)

    def _read_result(self, result: protocol.ResultMessage, events: list[Event]) -> None:
        """Note a pause, and get ready for the rest of the answer.

        The CLI reports an error for a complete message whose last block is not a text.
        """
        if self._stop_reason is not None and result.get("terminal_reason") == "completed":
            result = result.copy()
            result["is_error"] = False
        if self._stop_reason != PAUSE or result.get("is_error") or self._pauses == MAX_PAUSES:
            super()._read_result(result, events)
        else:
            self._pause(result)

    def _pause(self, result: protocol.ResultMessage) -> None:
        self._pauses += 1
        self._is_paused = True
        self._stop_reason = None
        self._has_output = False
        ledger, total = self._context.ledger, result["total_cost_usd"]
        usage = (parse_usage(result["usage"]) - ledger.reported).with_cost(max(0.0, total - ledger.paid_usd))
        self._earlier_usage += usage
        ledger.paid_usd, ledger.reported = total, Usage()
        self._usage = {}

    def _end(self, stop_reason: str, usage: Usage, events: list[Event]) -> None:
        super()._end(stop_reason, self._earlier_usage + usage, events)


class HostedFormattedReader(HostedAnswerReader, FormattedAnswerReader):
    """Reads such an answer whose text is structured output, which may end later than the block of the API."""

    _reports_texts = False


class HostedStructuredReader(HostedAnswerReader, StructuredAnswerReader):
    """Reads such an answer whose structured output is the input of the CLI's tool."""

    _reports_texts = False
