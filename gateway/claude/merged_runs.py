"""Several answers to one turn at once, as one stream of events."""

from __future__ import annotations

import contextvars
from collections.abc import Iterator, Sequence

import gevent
from gevent.queue import Queue

from gateway.claude.run import Run
from gateway.errors import GatewayError
from gateway.turn import Event, Usage, sum_usage

Batch = list[Event]

AHEAD = 16  # batches that may wait for a slow client before the processes have to


class MergedRuns:
    """Iterate for (index of the run, batch of events), as they come. The first failure of any run ends all.

    `stop` and `close` are those of a Run, for all of them.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = runs
        self._readers: list[gevent.Greenlet[..., None]] = []
        self._batches = self._merge()

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        return self._batches

    def _merge(self) -> Iterator[tuple[int, Batch]]:
        if len(self._runs) == 1:
            yield from ((0, batch) for batch in self._runs[0])
            return
        queue: Queue[tuple[int, Batch | Exception | None]] = Queue(maxsize=AHEAD)
        self._readers = [
            gevent.spawn(
                contextvars.copy_context().run, _read, index, run, queue
            )  # what they log is the request's
            for index, run in enumerate(self._runs)
        ]
        going = len(self._runs)
        while going:
            index, batch = queue.get()
            if batch is None:
                going -= 1
            elif isinstance(batch, Exception):
                raise batch
            else:
                yield index, batch

    def stop(self, reason: GatewayError) -> None:
        """End all runs from outside."""
        for run in self._runs:
            run.stop(reason)

    def used(self) -> tuple[Usage, bool]:
        """What all answers together have used until now, and whether some of it is an estimate."""
        used = [run.used() for run in self._runs]
        return sum_usage([usage for usage, _ in used]), any(is_estimate for _, is_estimate in used)

    def close(self) -> None:
        """Free everything."""
        gevent.killall(self._readers)
        for run in self._runs:
            run.close()


def _read(index: int, run: Run, queue: Queue[tuple[int, Batch | Exception | None]]) -> None:
    try:
        for batch in run:
            queue.put((index, batch))
        queue.put((index, None))
    except Exception as error:  # noqa: BLE001  it is raised again by whoever reads the queue
        queue.put((index, error))
