"""Record the blocks of an answer with hosted tools, for the APIs that have no form for them.

>>> record = HostedRecord()
>>> for event in (Citation({"url": "https://a", "title": "A"}), Text("Cats purr."), TextEnd()):
...     record.add(event)
>>> record.citations
[({'url': 'https://a', 'title': 'A'}, 0, 10)]
"""

from collections.abc import Mapping
from typing import Any

from gateway.dialects.common.hosted_blocks import CALL, seal_blocks
from gateway.hosted import Citation, HostedArguments, HostedCall, HostedResult, TextEnd
from gateway.partial_json import load_cut_object
from gateway.turn import Block, Event, Text

Source = Mapping[str, Any]


class HostedRecord:
    """The blocks so far. `citations` are sources, each with the start and the end of its text in the answer."""

    def __init__(self) -> None:
        self.citations: list[tuple[Source, int, int]] = []
        self._blocks: list[Block] = []
        self._is_plain = True
        self._length = 0
        self._text: list[str] = []
        self._sources: list[Source] = []
        self._input: list[str] = []

    def add(self, event: Event) -> None:
        """Add an event; those without a part in the blocks change nothing."""
        if isinstance(event, Text):
            self._text.append(event.text)
        elif isinstance(event, Citation):
            self._sources.append(event.location)
        elif isinstance(event, TextEnd):
            self._end_text()
        elif isinstance(event, HostedCall):
            self._add_block(event.block)
            self._input = []
        elif isinstance(event, HostedArguments):
            self._input.append(event.fragment)
        elif isinstance(event, HostedResult):
            self._add_block(event.block)

    def seal(self) -> str | None:
        """Return the blocks as an opaque text; None if they are nothing but texts without sources."""
        self._end_text()
        self._end_input()
        return None if self._is_plain else seal_blocks(self._blocks)

    def _add_block(self, block: Mapping[str, Any]) -> None:
        self._is_plain = False
        self._end_text()
        self._end_input()
        self._blocks.append(dict(block))

    def _end_text(self) -> None:
        text, start = "".join(self._text), self._length
        if not text:
            return
        self._length += len(text)
        self.citations += [(source, start, self._length) for source in self._sources]
        cited = {"citations": self._sources} if self._sources else {}
        self._is_plain = self._is_plain and not cited
        self._blocks.append({"type": "text", "text": text, **cited})
        self._text, self._sources = [], []

    def _end_input(self) -> None:
        """Give the last call its input, which a token limit may have cut off."""
        if not self._input:
            return
        for block in reversed(self._blocks):
            if block["type"] == CALL:
                block["input"] = load_cut_object("".join(self._input))
                break
        self._input = []
