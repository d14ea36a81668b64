"""Read an answer that must follow an output schema.

The CLI gives the model a tool named StructuredOutput and asks again until a call of it meets the schema. The arguments
of that call are the text of the answer.
"""

from __future__ import annotations

import json
from io import StringIO

from gateway.claude.cli.answer_reader import AnswerContext, AnswerReader
from gateway.claude.cli.protocol import ResultMessage, SystemMessage
from gateway.claude.cli.tools import OUTPUT_TOOL
from gateway.errors import InvalidRequest
from gateway.turn import Block, Event, Refusal, Retracted, Thinking


class StructuredAnswerReader(AnswerReader):
    """Reads an answer of structured output.

    Other text is withheld. Text before calls of the client's tools becomes thinking, and text without any output
    becomes a refusal.
    """

    def __init__(self, context: AnswerContext) -> None:
        super().__init__(context)
        self._withheld: list[str] = []
        self._output_block: int | None = None

    def _read_system(self, message: SystemMessage) -> None:
        super()._read_system(message)
        if message.get("subtype") == "init" and OUTPUT_TOOL not in message.get("tools", ()):
            raise InvalidRequest(
                "The model cannot follow this schema. Check that it is a valid JSON schema of type object.",
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
        if self._text.tell():
            self._text = StringIO()
            events.append(Retracted())

    def _start_call(self, index: int, block: Block, events: list[Event]) -> None:
        if block["name"] == OUTPUT_TOOL:
            self._output_block = index
            self._has_output = True
            return
        if self._withheld:
            # Clients parse all text as the output, so text before a call is shown as thinking.
            events.append(Thinking("".join(self._withheld)))
            self._withheld.clear()
        super()._start_call(index, block, events)

    def _read_text(self, text: str, events: list[Event]) -> None:
        self._has_output = True
        self._withheld.append(text)

    def _read_arguments(self, index: int, fragment: str, events: list[Event]) -> None:
        if index == self._output_block:
            self._add_text(fragment, events)
        else:
            super()._read_arguments(index, fragment, events)

    def _complete(self, result: ResultMessage, events: list[Event]) -> None:
        output = result.get("structured_output")
        if output is None:
            self._retract(events)
            events.append(Refusal(str(result.get("result") or "")))
        elif not self._text.tell():
            self._add_text(json.dumps(output), events)
        completed = result.copy()
        completed["stop_reason"] = "end_turn"
        super()._complete(completed, events)
