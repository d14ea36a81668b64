"""Responses that are written while nobody waits for them, each by a greenlet of this worker.

The database is where others meet it: it is read there, and there it is cancelled, by whichever worker is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import gevent
from gevent.queue import Queue

from gateway.answering.answer import Metered
from gateway.dialects.responses.builder import ResponseBuilder
from gateway.errors import GatewayError, StoreError, TurnStopped
from gateway.store.lease_keeper import LEASE_SECONDS
from gateway.store.responses import Responses
from gateway.turn import Event, Started

log = logging.getLogger(__name__)

Batch = list[Event]

LOOK_SECONDS = 0.5  # how soon a cancelled response ends
UPDATE_PAUSES = (0.5, 1, 2, 5, 10, 30)  # between attempts to store the whole response, in seconds
RENEW_EVERY = int(LEASE_SECONDS / LOOK_SECONDS / 3)  # looks: a third of the lease


class Task:
    """Writes `answer`, which is stored already, from what `run` yields. It begins at once.

    Iterate for the batches, as they come. Leaving off does not end it.
    """

    def __init__(self, run: Metered, answer: ResponseBuilder, kept: Responses, owner: str) -> None:
        self.record = run.record
        self._run = run
        self._answer = answer
        self._kept = kept
        self._owner = owner
        self._batches: Queue[tuple[int, Batch] | GatewayError | None] = Queue()
        self._is_read = True
        gevent.spawn(self._work)

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        while True:
            batch = self._batches.get()
            if batch is None:
                return
            if isinstance(batch, GatewayError):
                raise batch
            yield batch

    def stop(self, reason: GatewayError) -> None:
        """Whoever reads the batches gets `reason` raised; the writing goes on."""
        self._tell(reason)

    def close(self) -> None:
        """Nobody reads the batches any more; the writing goes on."""
        self._is_read = False

    def _tell(self, what: tuple[int, Batch] | GatewayError | None) -> None:
        if self._is_read:
            self._batches.put(what)

    def _work(self) -> None:
        watcher = gevent.spawn(self._watch)
        try:
            self._write()
        except GatewayError as error:
            self._fail(error)
        except Exception:
            log.exception("a response in the background failed in an unforeseen way")
            self._fail(GatewayError())
        finally:
            watcher.kill(block=False)
            self._run.close()
            self._tell(None)

    def _write(self) -> None:
        for index, batch in self._run:
            for event in batch:
                self._answer.add(event)
            if self._answer.is_over:
                self._keep(UPDATE_PAUSES)
            elif any(isinstance(event, Started) for event in batch):
                self._keep()
            self._tell((index, batch))

    def _fail(self, error: GatewayError) -> None:
        self._tell(error)
        self._answer.fail(error)
        self._keep()

    def _keep(self, pauses: Sequence[float] = ()) -> None:
        """A locked or full database does not end the response: what is not kept now is kept after one of the pauses."""
        for pause in (*pauses, None):
            try:
                self._kept.update(self._owner, self._answer.response)
                return
            except StoreError:
                log.warning("how a response in the background goes on could not be stored")
            if pause is not None:
                gevent.sleep(pause)

    def _watch(self) -> None:
        """Look whether the response was cancelled, and renew the lease."""
        looks = 0
        while True:
            gevent.sleep(LOOK_SECONDS)
            looks += 1
            try:
                if not self._is_wanted(renew=looks % RENEW_EVERY == 0):
                    self._run.stop(TurnStopped())
                    return
            except StoreError:
                log.warning("nobody can see now whether a response in the background was cancelled")

    def _is_wanted(self, renew: bool) -> bool:
        look = self._kept.renew if renew else self._kept.is_wanted
        return look(self._owner, str(self._answer.response["id"]))
