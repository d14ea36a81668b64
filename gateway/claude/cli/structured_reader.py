"""Read an answer that must follow an output schema.

The model is held to the schema in one of two ways (see `gateway.json_schema.output`). With the API's structured output,
the text is the output. Otherwise the CLI gives the model a tool named StructuredOutput and asks again until a call of
it meets the schema; the arguments of that call are the output.
"""

import json
from io import StringIO

from gateway.claude.cli import protocol
from gateway.claude.cli.answer_reader import AnswerContext, AnswerReader
from gateway.claude.cli.output_text import OutputText
from gateway.claude.cli.tools import OUTPUT_TOOL
from gateway.errors import InvalidRequest
from gateway.json_schema import ValueMapping
from gateway.turn import Block, Event, Refusal, Retracted, Thinking


class _OutputReader(AnswerReader):
    """Translates the output to the client's form by `mapping`, and withholds other text.

    Clients parse all text as the output, so other text becomes thinking before a call of the client's tools, and
    without any output a refusal.
    """

    def __init__(self, context: AnswerContext, mapping: ValueMapping | None) -> None:
        super().__init__(context)
        self._mapping = mapping
        self._withheld: list[str] = []
        self._output: OutputText | None = None

    def _start_call(self, index: int, block: Block, events: list[Event]) -> None:
        if self._withheld:
            events.append(Thinking("".join(self._withheld)))
            self._withheld.clear()
        super()._start_call(index, block, events)

    def _end_message(self, event: protocol.MessageDelta, events: list[Event]) -> None:
        if self._output is not None:
            self._add_text(self._output.finish(), events)
        super()._end_message(event, events)


class FormattedAnswerReader(_OutputReader):
    """Reads an answer whose text is the output, because the API limits the text to the schema."""

    def _read_text(self, text: str, events: list[Event]) -> None:
        self._has_output = True
        if self._output is None:
            self._withheld.append(text)
            text = "".join(self._withheld).lstrip()
            if not text.startswith("{"):  # every output is an object in the model's form
                return
            self._output = OutputText(self._mapping)
            self._withheld.clear()
        self._add_text(self._output.feed(text), events)

    def _end_message(self, event: protocol.MessageDelta, events: list[Event]) -> None:
        if self._withheld:
            events.append(Refusal("".join(self._withheld)))
        super()._end_message(event, events)


class StructuredAnswerReader(_OutputReader):
    """Reads an answer whose output is the input of the CLI's tool StructuredOutput."""

    def __init__(self, context: AnswerContext, mapping: ValueMapping | None) -> None:
        super().__init__(context, mapping)
        self._output_block: int | None = None

    def _read_system(self, message: protocol.SystemMessage) -> None:
        super()._read_system(message)
        if message.get("subtype") == "init" and OUTPUT_TOOL not in message.get("tools", ()):
            raise InvalidRequest(
                "The model cannot follow this schema. Check that it is a valid JSON schema.",
                param="output_schema",
                code="invalid_json_schema",
            )

    def _start_next_message(self, events: list[Event]) -> None:
        """Discard the output so far: it did not meet the schema, so the CLI has asked the model again."""
        self._stop_reason = None
        self._has_output = False
        self._withheld.clear()
        self._retract(events)

    def _retract(self, events: list[Event]) -> None:
        self._output = None
        if self._text.tell():
            self._text = StringIO()
            events.append(Retracted())

    def _start_call(self, index: int, block: Block, events: list[Event]) -> None:
        if block["name"] == OUTPUT_TOOL:
            self._output_block = index
            self._output = OutputText(self._mapping)
            self._has_output = True
        else:
            super()._start_call(index, block, events)

    def _read_text(self, text: str, events: list[Event]) -> None:
        self._has_output = True
        self._withheld.append(text)

    def _read_arguments(self, index: int, fragment: str, events: list[Event]) -> None:
        if index == self._output_block and self._output is not None:
            self._add_text(self._output.feed(fragment), events)
        else:
            super()._read_arguments(index, fragment, events)

    def _complete(self, result: protocol.ResultMessage, events: list[Event]) -> None:
        output = result.get("structured_output")
        if output is None:
            self._retract(events)
            events.append(Refusal(str(result.get("result") or "")))
        elif not self._text.tell():
            value = output if self._mapping is None else self._mapping.to_client(output)
            self._add_text(json.dumps(value, ensure_ascii=False), events)
        completed = result.copy()
        completed["stop_reason"] = "end_turn"
        super()._complete(completed, events)
