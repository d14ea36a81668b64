"""The events of a background response as they go over the wire, in the database, so that a client can read them again.

They are written a few times per second, so a client that follows the response over another worker is that much behind.
"""

import logging

import gevent

from gateway.dialects.common import sse
from gateway.dialects.responses.answers import StreamEncoder
from gateway.errors import GatewayError, StoreError
from gateway.store.responses import EventChunk, Responses
from gateway.turn import Batch, Idle

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.25


class EventLog:
    """The events of one response. `encoder` gives them the same numbers as the stream that a client follows."""

    def __init__(self, response_id: str, encoder: StreamEncoder, responses: Responses) -> None:
        self._response_id = response_id
        self._encoder = encoder
        self._responses = responses
        self._number = 0  # of the first event that is not stored
        self._waiting: list[bytes] = []
        self._is_over = False
        self._is_timed = False

    def add(self, batch: Batch) -> None:
        """Add the events of a batch. They are stored soon, unless `take` is called first."""
        events = [event for event in batch if not isinstance(event, Idle)]
        if self._is_over or not events:
            return
        try:
            self._append(self._encoder.encode(events))
        except GatewayError as error:  # text was retracted that may have been sent
            self.end(error)
        if not self._is_timed:
            self._is_timed = True
            gevent.spawn_later(FLUSH_SECONDS, self._flush)

    def end(self, error: GatewayError) -> None:
        """Add the events that end a failed stream."""
        if not self._is_over:
            self._append(self._encoder.error(error))
            self._is_over = True

    def take(self) -> EventChunk | None:
        """Return the events that are not stored yet. The caller stores them."""
        if not self._waiting:
            return None
        chunk = EventChunk(self._number, self._waiting)
        self._number += len(self._waiting)
        self._waiting = []
        return chunk

    def _append(self, stream: bytes) -> None:
        self._waiting += stream.split(sse.END)[:-1]

    def _flush(self) -> None:
        self._is_timed = False
        chunk = self.take()
        if chunk is None:
            return
        try:
            self._responses.add_events(self._response_id, chunk)
        except StoreError:  # the next attempt stores them with the later events
            log.warning("events of a background response could not be stored")
            self._number = chunk.first_number
            self._waiting = [*chunk.events, *self._waiting]
