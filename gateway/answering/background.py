"""Responses that are written in the background, each by a greenlet of this worker.

The database is the meeting point: clients poll it for the response, and any worker may cancel the response there. The
writing worker holds a lease on it and stops when the lease is lost.
"""

import logging
from collections.abc import Iterator, Sequence

import gevent
from gevent.queue import Queue

from gateway.answering.event_log import EventLog
from gateway.answering.metering import AnswerStream
from gateway.dialects.responses.builder import OnEnd, ResponseBuilder
from gateway.errors import GatewayError, StoreError, TurnStopped
from gateway.store.lease_keeper import LeaseKeeper
from gateway.store.responses import Responses
from gateway.turn import Batch, Started

log = logging.getLogger(__name__)

FINAL_PAUSES = (0.5, 1, 2, 5, 10, 30)  # seconds between attempts to store the complete response


class BackgroundAnswer:
    """A greenlet that writes a response from an answer's batches, and the batches for a client that follows it.

    The response of `builder` must already be stored. Writing begins at once, and a client that stops following it does
    not end it. `keeper` renews the leases of all responses that this worker writes. `event_log` keeps the events for
    clients that come back. `on_end` gets the complete response before it is stored.
    """

    def __init__(
        self,
        answer: AnswerStream,
        builder: ResponseBuilder,
        owner_id: str,
        responses: Responses,
        keeper: LeaseKeeper[str],
        event_log: EventLog | None = None,
        on_end: OnEnd = lambda _: None,
    ) -> None:
        self.record = answer.record
        self._answer = answer
        self._builder = builder
        self._owner_id = owner_id
        self._responses = responses
        self._keeper = keeper
        self._log = event_log
        self._on_end = on_end
        self._batches: Queue[tuple[int, Batch] | GatewayError | None] = Queue()
        self._has_follower = True
        gevent.spawn(self._run)

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        while True:
            batch = self._batches.get()
            if batch is None:
                return
            if isinstance(batch, GatewayError):
                raise batch
            yield batch

    def stop(self, reason: GatewayError) -> None:
        """Raise `reason` in the iterator of the follower. The writing goes on."""
        self._pass_on(reason)

    def fail(self, error: GatewayError) -> None:
        """Record a failure to send the events."""
        self._answer.fail(error)

    def close(self) -> None:
        """Stop passing batches on. The writing goes on."""
        self._has_follower = False

    def _pass_on(self, item: tuple[int, Batch] | GatewayError | None) -> None:
        if self._has_follower:
            self._batches.put(item)

    def _run(self) -> None:
        response_id = str(self._builder.response["id"])
        self._keeper.add(response_id, lambda: self._answer.stop(TurnStopped()))
        try:
            self._write()
        except GatewayError as error:
            self._end_with_error(error)
        except Exception:
            log.exception("a background response failed unexpectedly")
            self._end_with_error(GatewayError())
        finally:
            self._keeper.remove(response_id)
            self._answer.close()
            self._pass_on(None)

    def _write(self) -> None:
        for index, batch in self._answer:
            for event in batch:
                self._builder.add(event)
            if self._log is not None:
                self._log.add(batch)
            if self._builder.is_over:
                self._on_end(self._builder.response)
                self._store(FINAL_PAUSES)
            elif any(isinstance(event, Started) for event in batch):
                self._store()
            self._pass_on((index, batch))

    def _end_with_error(self, error: GatewayError) -> None:
        self._pass_on(error)
        self._builder.fail(error)
        if self._log is not None:
            self._log.end(error)
        self._store()

    def _store(self, pauses: Sequence[float] = ()) -> None:
        """Update the stored response. If the database is unavailable, try again after each of the pauses."""
        events = self._log.take() if self._log is not None and self._builder.is_over else None
        for pause in (*pauses, None):
            try:
                self._responses.update(self._owner_id, self._builder.response, events)
                return
            except StoreError:
                log.warning("a background response could not be updated in the database")
            if pause is not None:
                gevent.sleep(pause)
