"""Merge several runs, which answer one request in parallel, into one stream of events.

For example, the order in which two runs yield batches:

    [index for index, batch in MergedRuns([run, other_run])]  # [0, 1, 1, 0, 1, 0]
"""

import contextvars
from collections.abc import Iterator, Sequence

import gevent
from gevent.queue import Queue

from gateway.claude.remote_run import RemoteRun
from gateway.claude.run import Run
from gateway.errors import GatewayError
from gateway.record import RunTimes
from gateway.turn import Batch, Usage, sum_usage

MAX_QUEUED_BATCHES = 16  # from here on the processes wait for a slow client


class MergedRuns:
    """Iterate for pairs of a run's index and a batch of its events, in the order in which they arrive.

    The first failure of any run is raised and ends the iteration. `stop`, `usage_so_far` and `close` do
    the same as in `Run`, for all runs together.
    """

    def __init__(self, runs: Sequence[Run | RemoteRun]) -> None:
        self._runs = runs
        self._readers: list[gevent.Greenlet[..., None]] = []
        self._batches = self._merge()

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        return self._batches

    def _merge(self) -> Iterator[tuple[int, Batch]]:
        if len(self._runs) == 1:
            yield from ((0, batch) for batch in self._runs[0])
            return
        queue: Queue[tuple[int, Batch | Exception | None]] = Queue(maxsize=MAX_QUEUED_BATCHES)
        self._readers = [
            # In a copy of the context, log lines get the id of the request.
            gevent.spawn(contextvars.copy_context().run, _read, index, run, queue)
            for index, run in enumerate(self._runs)
        ]
        unfinished = len(self._runs)
        while unfinished:
            index, batch = queue.get()
            if batch is None:
                unfinished -= 1
            elif isinstance(batch, Exception):
                raise batch
            else:
                yield index, batch

    @property
    def times(self) -> RunTimes:
        """Return the moments of the first run."""
        return self._runs[0].times

    def stop(self, reason: GatewayError) -> None:
        """End all runs from any greenlet."""
        for run in self._runs:
            run.stop(reason)

    def usage_so_far(self) -> tuple[Usage, bool]:
        """Return the usage of all runs until now, and True if a part of it is an estimate."""
        usages = [run.usage_so_far() for run in self._runs]
        return sum_usage([usage for usage, _ in usages]), any(is_estimate for _, is_estimate in usages)

    def fallback_usage(self) -> Usage:
        """Return the usage of the runs that a fallback answers."""
        return sum_usage([run.usage_so_far()[0] for run in self._runs if run.times.fallback_model])

    def close(self) -> None:
        """Free the processes and slots of all runs."""
        gevent.killall(self._readers)
        for run in self._runs:
            run.close()


def _read(index: int, run: Run | RemoteRun, queue: Queue[tuple[int, Batch | Exception | None]]) -> None:
    try:
        for batch in run:
            queue.put((index, batch))
        queue.put((index, None))
    except Exception as error:  # noqa: BLE001  `_merge` raises it again
        queue.put((index, error))
