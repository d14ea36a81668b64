"""Encode events as a stream of Responses API events, or collect them as one response object.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Iterable

from gateway.dialects.common import sse
from gateway.dialects.common.answers import incomplete_answer
from gateway.dialects.common.tool_forms import NO_FORMS, ToolForms
from gateway.dialects.responses.builder import FIELD_NAMES, OnEnd, Response, ResponseBuilder
from gateway.dialects.responses.compaction_builder import CompactionBuilder
from gateway.dialects.responses.outputs import StreamEvent
from gateway.errors import GatewayError
from gateway.lenient_json import dumps
from gateway.turn import Event, Idle


class _Answer:
    """A response that is being built. A response that was streamed cannot be retracted.

    With `compacts`, the answer is a summary, which the client gets as a compaction.
    """

    field_names = FIELD_NAMES
    _can_retract = True

    def __init__(
        self,
        response: Response,
        with_summary: bool,
        on_end: OnEnd = lambda _: None,
        tool_forms: ToolForms = NO_FORMS,
        *,
        compacts: bool = False,
    ) -> None:
        builder = CompactionBuilder if compacts else ResponseBuilder
        self._builder = builder(
            response, with_summary=with_summary, can_retract=self._can_retract, tool_forms=tool_forms
        )
        self._on_end = on_end


class StreamEncoder(_Answer):
    """Encode one answer as a stream. `on_end` gets the final response before its last event is sent."""

    _can_retract = False
    _number = 0  # of the next event

    def encode(self, batch: Iterable[Event], index: int = 0) -> bytes:
        """Return the stream events for `batch`. This API has only one choice."""
        return sse.one_line(b"".join([self._encode(event) for event in batch]))

    def error(self, error: GatewayError) -> bytes:
        """Return the events that end a failed stream."""
        emitted = self._builder.fail(error)
        self._on_end(self._builder.response)
        return sse.one_line(self._frame(emitted))

    def _encode(self, event: Event) -> bytes:
        if isinstance(event, Idle):
            return sse.KEEP_ALIVE
        emitted = self._builder.add(event)
        if self._builder.is_over:
            self._on_end(self._builder.response)
        return self._frame(emitted)

    def _frame(self, emitted: Iterable[StreamEvent]) -> bytes:
        return b"".join([self._frame_event(event) for event in emitted])

    def _frame_event(self, event: StreamEvent) -> bytes:
        event["sequence_number"] = self._number
        self._number += 1
        return sse.event(event["type"], dumps(event))


class Collector(_Answer):
    """Collect one answer as a response object. `on_end` gets the complete response before it is returned."""

    def add(self, batch: Iterable[Event], index: int = 0) -> None:
        """Add events. This API has only one choice."""
        for event in batch:
            self._builder.add(event)

    def body(self) -> Response:
        """Return the response. Raises UpstreamError if it is not complete."""
        if not self._builder.is_over:
            raise incomplete_answer()
        self._on_end(self._builder.response)
        return self._builder.response
