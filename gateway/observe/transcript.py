"""What an answer said, for the log (LOG_CONTENT)."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.turn import Event, Refusal, Retracted, Text, ToolArguments, ToolCall


class Transcript:
    """Collects the text of an answer and the calls in it, by choice."""

    def __init__(self) -> None:
        self._said: dict[int, list[str]] = {}

    def note(self, index: int, batch: Sequence[Event]) -> None:
        """Take in a batch of choice `index`."""
        said = self._said.setdefault(index, [])
        for event in batch:
            if isinstance(event, (Text, Refusal)):
                said.append(event.text)
            elif isinstance(event, ToolCall):
                said.append(f"\n[{event.name}] ")
            elif isinstance(event, ToolArguments):
                said.append(event.fragment)
            elif isinstance(event, Retracted):
                said.clear()

    def texts(self) -> list[str]:
        """The answer's choices."""
        return ["".join(said) for _, said in sorted(self._said.items())]
