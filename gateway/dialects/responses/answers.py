"""Encode the events of a turn as a stream of Responses API events, or collect them as one response object."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.dialects.common import sse
from gateway.dialects.responses.builder import OnEnd, Response, ResponseBuilder
from gateway.dialects.responses.output import Emitted
from gateway.errors import GatewayError, UpstreamError
from gateway.turn import Event, Idle


class StreamEncoder:
    """The stream of one answer. `on_end` gets the response before its last event is handed out, however it ended."""

    def __init__(self, response: Response, with_summary: bool, on_end: OnEnd) -> None:
        self._builder = ResponseBuilder(response, with_summary=with_summary, can_retract=False)
        self._on_end = on_end
        self._number = 0

    def encode(self, batch: Iterable[Event], index: int = 0) -> bytes:
        """The events for all of `batch`, one after the other."""
        written = b"".join([self._event(event) for event in batch])
        return sse.one_line(written)

    def error(self, error: GatewayError) -> bytes:
        """What a stream that fails ends with."""
        emitted = self._builder.fail(error)
        self._on_end(self._builder.response)
        return sse.one_line(self._framed(emitted))

    def _event(self, event: Event) -> bytes:
        if isinstance(event, Idle):
            return sse.KEEP_ALIVE
        emitted = self._builder.take(event)
        if self._builder.is_over:
            self._on_end(self._builder.response)
        return self._framed(emitted)

    def _framed(self, emitted: Iterable[Emitted]) -> bytes:
        return b"".join([self._frame(event) for event in emitted])

    def _frame(self, event: Emitted) -> bytes:
        event["sequence_number"] = self._number
        self._number += 1
        return sse.event(event["type"], sse.dumps(event))


class Collector:
    """An answer sent whole. `on_end` gets the complete response before it is handed out."""

    def __init__(self, response: Response, with_summary: bool, on_end: OnEnd) -> None:
        self._builder = ResponseBuilder(response, with_summary=with_summary, can_retract=True)
        self._on_end = on_end

    def add(self, batch: Iterable[Event], index: int = 0) -> None:
        """Take in events."""
        for event in batch:
            self._builder.take(event)

    def body(self) -> Response:
        """The response. Raises UpstreamError if it has not come to its end."""
        if not self._builder.is_over:
            raise UpstreamError("The answer broke off before its end.")
        self._on_end(self._builder.response)
        return self._builder.response
