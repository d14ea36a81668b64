"""Stop sequences that the API does not watch for: white space only, and all of them in structured output."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.turn import Event, Text


class StopFilter:
    """Cuts the text of an answer before the first stop sequence. `hit` is the one that was found."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.hit: str | None = None
        self._stops = stops
        self._held = ""

    def read(self, events: list[Event]) -> list[Event]:
        """The events up to the stop; text that may be the beginning of one is held back."""
        passed: list[Event] = []
        for event in events:
            if isinstance(event, Text):
                self._text(event.text, passed)
            else:
                self._flush(passed)
                passed.append(event)
            if self.hit:
                break
        return passed

    def _text(self, text: str, passed: list[Event]) -> None:
        text = self._held + text
        found = [(text.find(stop), stop) for stop in self._stops if stop in text]
        if found:
            at, self.hit = min(found)
            text, self._held = text[:at], ""
        else:
            keep = max(self._beginning_at_end(text, stop) for stop in self._stops)
            text, self._held = text[: len(text) - keep], text[len(text) - keep :]
        if text:
            passed.append(Text(text))

    @staticmethod
    def _beginning_at_end(text: str, stop: str) -> int:
        """How many characters at the end of `text` are the beginning of `stop`."""
        longest = min(len(stop) - 1, len(text))
        return next((length for length in range(longest, 0, -1) if text.endswith(stop[:length])), 0)

    def _flush(self, passed: list[Event]) -> None:
        if self._held:
            passed.append(Text(self._held))
            self._held = ""
