"""The text of an answer, for the log (LOG_CONTENT)."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.turn import Event, Refusal, Retracted, Text, ToolArguments, ToolCall


class Transcript:
    """Collects the text of an answer and the calls in it, by choice."""

    def __init__(self) -> None:
        self._parts: dict[int, list[str]] = {}

    def add(self, index: int, batch: Sequence[Event]) -> None:
        """Take in a batch of choice `index`."""
        parts = self._parts.setdefault(index, [])
        for event in batch:
            if isinstance(event, (Text, Refusal)):
                parts.append(event.text)
            elif isinstance(event, ToolCall):
                parts.append(f"\n[{event.name}] ")
            elif isinstance(event, ToolArguments):
                parts.append(event.fragment)
            elif isinstance(event, Retracted):
                parts.clear()

    def texts(self) -> list[str]:
        """The answer's choices."""
        return ["".join(parts) for _, parts in sorted(self._parts.items())]
