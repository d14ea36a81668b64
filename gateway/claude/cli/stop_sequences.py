"""Watch for stop sequences that the API does not watch for.

The API rejects stop sequences of white space, and knows none in structured output. For example, with the stop "\\n\\n"
the texts "One.\\n" and "\\nTwo." pass as "One." and the answer ends there.
"""

from collections.abc import Sequence

from gateway.turn import Event, Text


class StopFilter:
    """Cuts the text of an answer before the first stop sequence. `found` is that sequence, or None so far."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.found: str | None = None
        self._stops = stops
        self._withheld = ""

    def filter_events(self, events: list[Event]) -> list[Event]:
        """Return the events up to the stop. Text that may be the start of a stop sequence is withheld."""
        passed: list[Event] = []
        for event in events:
            if isinstance(event, Text):
                self._filter_text(event.text, passed)
            else:
                self._release_withheld(passed)
                passed.append(event)
            if self.found:
                break
        return passed

    def _filter_text(self, text: str, passed: list[Event]) -> None:
        text = self._withheld + text
        found = [(text.find(stop), stop) for stop in self._stops if stop in text]
        if found:
            position, self.found = min(found)
            text, self._withheld = text[:position], ""
        else:
            withheld = max(self._overlap(text, stop) for stop in self._stops)
            text, self._withheld = text[: len(text) - withheld], text[len(text) - withheld :]
        if text:
            passed.append(Text(text))

    @staticmethod
    def _overlap(text: str, stop: str) -> int:
        """Return how many characters at the end of `text` are the start of `stop`."""
        longest = min(len(stop) - 1, len(text))
        return next((length for length in range(longest, 0, -1) if text.endswith(stop[:length])), 0)

    def _release_withheld(self, passed: list[Event]) -> None:
        if self._withheld:
            passed.append(Text(self._withheld))
            self._withheld = ""
