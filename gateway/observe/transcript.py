"""The text of an answer, for the log (LOG_CONTENT).

>>> transcript = Transcript()
>>> transcript.add(0, [Text("Hello")])
>>> transcript.texts()
['Hello']
"""

from collections.abc import Sequence

from gateway.turn import Event, Refusal, Retracted, Text, ToolArguments, ToolCall


class Transcript:
    """Collects the text of each choice of an answer, tool calls included."""

    def __init__(self) -> None:
        self._parts: dict[int, list[str]] = {}

    def add(self, index: int, batch: Sequence[Event]) -> None:
        """Add a batch of events of the choice `index`."""
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
        """Return the texts of the choices, in order."""
        return ["".join(parts) for _, parts in sorted(self._parts.items())]
