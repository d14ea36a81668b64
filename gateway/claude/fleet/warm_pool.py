"""The warm pool: generic CLI processes that are started before a conversation needs them.

A process is warm once it has answered a control request. `take` hands one out, and the pool starts a replacement in the
background. At most `max_starting` processes start at once, one per core, because a start costs half a second of CPU.
For example:

    pool = WarmPool(launcher.start_chat, catalog.merge, size=2)
    pool.open()
    process = pool.take(Ticket(), timeout=30)   # the pool has one process left and starts another soon
"""

import errno
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable

import gevent
from gevent.event import Event

from gateway.claude.cli.hangs import HangWatch
from gateway.claude.cli.process import Process, ProcessEnded, StartFailure
from gateway.claude.cli.protocol import ModelInfo
from gateway.claude.cli.spawn import describe_exit, find_signal
from gateway.claude.fleet.demand import REMEMBER_SECONDS, Demand
from gateway.claude.fleet.wait_queue import Ticket, WaitQueue
from gateway.errors import ClaudeUnavailable, GatewayError

log = logging.getLogger(__name__)

RETRY_DELAYS = (0.5, 1.0, 2.0, 5.0, 10.0)  # seconds before the next start, by failures in a row
ACCIDENT_DELAYS = (0.1, 0.2, 0.5, 1.0)  # the same for starts that failed through no fault of the CLI
REFILL_DELAY_SECONDS = 1.0  # a start takes CPU that the turn that has just begun needs for its first token
LEAD_SECONDS = 1.5  # a process that is started now is ready in this time, also on a busy machine
MAX_AGE_SECONDS = 1800.0
CHECK_SECONDS = 30.0  # the pause between two checks whether the idle processes still answer

_TRANSIENT = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


class WarmPool:
    """Keeps `size` processes ready. After a burst of new conversations it keeps more, up to `max_size`.

    `spawn` starts a process. `allows_start` is called before, with True if the start is urgent: a turn waits for
    it, or there are fewer processes than `size`. `on_models` is called with the model
    catalog that each new process reports. `start_timeout` is in seconds.

    `settled` is set once it is known whether processes start. `hits` counts the conversations that found a process
    ready and `misses` those that had to wait.
    """

    def __init__(
        self,
        spawn: Callable[[], Process],
        on_models: Callable[[list[ModelInfo]], None],
        *,
        size: int,
        max_size: int | None = None,
        allows_start: Callable[[bool], bool] = lambda is_urgent: True,
        max_starting: int = 2,
        start_timeout: float = 30.0,
        remember_seconds: float = REMEMBER_SECONDS,
        settled: Event | None = None,
    ) -> None:
        self.size = size
        self.starts = self.failures = self.hits = self.misses = 0
        self.starting_count = 0
        self.failure: GatewayError | None = None  # of the last start, while starts fail
        self.settled = settled or Event()
        self._spawn = spawn
        self._on_models = on_models
        self._max_size = max_size
        self._allows_start = allows_start
        self._max_starting = max_starting
        self._start_timeout = start_timeout
        self._demand = Demand(remember_seconds)
        self._ready: deque[Process] = deque()
        self._checking_count = 0
        self._queue: WaitQueue[Process] = WaitQueue()
        self._failures_in_a_row = self._refusals_in_a_row = 0
        self._is_closed = False
        self._will_refill = False
        self._taken_at = 0.0
        self._checker: gevent.Greenlet[..., None] | None = None

    @property
    def ready_count(self) -> int:
        """The number of processes that `take` can hand out at once."""
        return len(self._ready)

    @property
    def idle_count(self) -> int:
        """The number of processes without a conversation: those that are ready and those that are being checked."""
        return len(self._ready) + self._checking_count

    def status(self) -> dict[str, int]:
        """Return the figures that `/health` shows."""
        return {
            "warm": len(self._ready),
            "warm_hits": self.hits,
            "warm_misses": self.misses,
            "starting": self.starting_count,
            "starts": self.starts,
            "start_failures": self.failures,
        }

    @property
    def problem(self) -> GatewayError | None:
        """The reason why no process is ready. A single failed start is no reason yet."""
        return self.failure if self._failures_in_a_row > 1 and not self._ready else None

    @property
    def waiting_count(self) -> int:
        """The number of turns that wait for a process."""
        return len(self._queue)

    @property
    def process_count(self) -> int:
        """The number of processes that the pool uses of the budget. The slots account for turns that wait."""
        return self.idle_count + self.starting_count - self.waiting_count

    @property
    def target_count(self) -> int:
        """The number of processes that should be ready."""
        burst = self._demand.burst
        return max(self.size, burst if self._max_size is None else min(burst, self._max_size))

    def open(self) -> None:
        """Start to fill the pool."""
        self._checker = gevent.spawn(self._check_forever)
        self._refill()

    def resize(self, *, size: int, max_size: int, start_timeout: float, remember_seconds: float) -> None:
        """Change the numbers. The pool starts missing processes; `end_lost` ends surplus ones."""
        self.size, self._max_size = size, max_size
        self._start_timeout = start_timeout
        self._demand.remember_seconds = remember_seconds
        if self._checker is not None:
            self._refill()

    def take(self, ticket: Ticket[Process], timeout: float) -> Process:
        """Return a warm process, which the caller owns and must close.

        Raises ClaudeUnavailable if none has started within `timeout` seconds, or the error of `ticket.cancel`.
        """
        self._demand.count_arrival()
        self._taken_at = time.monotonic()
        process = self.take_ready()
        if process is not None:
            self.hits += 1
        else:
            self.misses += 1
            process = self._wait_for_process(ticket, timeout)
        if self._is_scarce:
            self._refill()
        else:
            self.refill_later()
        return process

    def take_ready(self) -> Process | None:
        """Return a process that is ready, or None."""
        while self._ready:
            process = self._ready.popleft()
            if process.is_alive:
                return process
            process.close()
        return None

    def refill_later(self) -> None:
        """Start missing processes soon, when the turn that has just begun needs less CPU."""
        if not self._will_refill:
            self._will_refill = True
            gevent.spawn_later(REFILL_DELAY_SECONDS, self._refill)

    def refill_waiting(self) -> None:
        """Start processes for turns that wait, if it was not allowed before."""
        if self.waiting_count:
            self._refill()

    def give_up(self) -> bool:
        """End an idle process because memory is short, unless it is the last one. Return False then."""
        if len(self._ready) < 2:
            return False
        process = self._ready.pop()
        process.kill()
        gevent.spawn(process.close)
        return True

    def renew(self) -> None:
        """Replace the idle processes, because their login may be out of date."""
        stale, self._ready = list(self._ready), deque()
        gevent.spawn(_close_all, stale, 0.0)
        self._refill()

    def retire(self) -> None:
        """End the idle processes. From now on start one only for a turn that waits for it."""
        self.size = self._max_size = 0
        self.renew()

    def close(self, grace: float = 0.5) -> None:
        """Stop all starts and end the idle processes. Turns that wait get ClaudeUnavailable."""
        self._is_closed = True
        if self._checker is not None:
            self._checker.kill(block=False)
        self._queue.fail_all(ClaudeUnavailable("The gateway is stopping."))
        processes, self._ready = list(self._ready), deque()
        _close_all(processes, grace)

    def _wait_for_process(self, ticket: Ticket[Process], timeout: float) -> Process:
        self._queue.join(ticket)
        self._refill()
        try:
            return ticket.wait(timeout)
        except TimeoutError:
            raise self.failure or ClaudeUnavailable(
                f"No Claude Code process was ready within {timeout:g} seconds."
            ) from None
        finally:
            self._queue.leave(ticket)

    @property
    def _is_scarce(self) -> bool:
        """True if the pool will be empty before a process that is started later is ready."""
        return self.idle_count + self.starting_count < self._demand.rate * LEAD_SECONDS

    @property
    def _start_limit(self) -> int:
        """The number of processes that may start at once. While no turn waits for them, a core is left to answers."""
        is_in_background = self._taken_at > 0 and not self.waiting_count
        return max(1, self._max_starting - 1) if is_in_background else self._max_starting

    def _refill(self) -> None:
        """Start the missing processes, as far as the limits allow."""
        self._will_refill = False
        while not self._is_closed and self.starting_count < self._start_limit and self._count_missing() > 0:
            is_urgent = self.waiting_count > 0 or self.idle_count + self.starting_count < self.size
            if not self._allows_start(is_urgent):
                break
            self.starting_count += 1
            gevent.spawn(self._start_process)

    def _count_missing(self) -> int:
        if self.waiting_count:  # turns come first
            return self.waiting_count - self.starting_count - self._checking_count
        return self.target_count - self.idle_count - self.starting_count

    def _start_process(self) -> None:
        try:
            if self._failures_in_a_row:
                gevent.sleep(self._retry_delay())
            if not self._is_closed:
                self._warm_up(self._spawn())
        except StartFailure as error:
            self._record_failure(error)
        except Exception as error:  # count it, so that retries pause: without a pause they take all CPU
            log.exception("a claude process could not be started")
            self._record_failure(error)
        finally:
            self.starting_count -= 1
            is_quiet = time.monotonic() - self._taken_at > REFILL_DELAY_SECONDS
            if self.waiting_count or is_quiet or self._is_scarce:
                self._refill()
            else:
                self.refill_later()

    def _warm_up(self, process: Process) -> None:
        try:
            (result,) = process.send_requests([{"subtype": "list_models"}], self._start_timeout)
        except BaseException:
            process.close()
            raise
        self._on_models(result.get("models", []))
        self.starts += 1
        self._failures_in_a_row = self._refusals_in_a_row = 0
        self.failure = None
        self.settled.set()
        self._hand_out(process)

    def _retry_delay(self) -> float:
        delays = RETRY_DELAYS if self._refusals_in_a_row else ACCIDENT_DELAYS
        return delays[min(self._failures_in_a_row, len(delays)) - 1]

    def _record_failure(self, error: Exception) -> None:
        """Note a failed start. If the CLI has refused to start twice, waiting turns get the error.

        After a start that a signal ended, or for which the system had no memory, the next one may succeed.
        """
        self.failures += 1
        self._failures_in_a_row += 1
        self.failure = ClaudeUnavailable(f"The Claude Code CLI does not start: {error}")
        log.error("a claude process did not start: %s", error)
        if not _is_accident(error):
            self._refusals_in_a_row += 1
        if self._refusals_in_a_row > 1:  # a single failure may be an accident
            self.settled.set()
            self._queue.fail_all(self.failure)

    def end_lost(self) -> None:
        """End the idle processes that have died, are too old or too many, and replace them. Called often."""
        oldest = time.monotonic() - MAX_AGE_SECONDS
        has_lost = False
        for process in list(self._ready):
            if not process.is_alive:
                log.warning("a warm claude process was lost: %s", describe_exit(process.returncode))
            elif len(self._ready) <= self.target_count and process.started_at >= oldest:
                continue
            self._ready.remove(process)
            gevent.spawn(process.close, 1.0)
            has_lost = True
        if has_lost:
            self._refill()

    def check_all(self) -> None:
        """Check all idle processes at once, because one of them hung. A turn waits for the first that answers."""
        while self._ready:
            process = self._ready.popleft()
            self._checking_count += 1
            gevent.spawn(self._check, process)

    def _check_forever(self) -> None:
        while True:
            gevent.sleep(CHECK_SECONDS)
            self.check_all()
            self._refill()

    def _check(self, process: Process) -> None:
        """Check that an idle process still answers. It is not ready in the meantime."""
        try:
            with HangWatch(process):
                process.send_requests([{"subtype": "get_binary_version"}], self._start_timeout)
        except StartFailure as error:
            age = time.monotonic() - process.started_at
            log.warning("a warm claude process was lost after %.0f s: %s", age, error)
            process.close()
            self._checking_count -= 1
            self._refill()
        else:
            self._checking_count -= 1
            self._hand_out(process)

    def _hand_out(self, process: Process) -> None:
        """Give the process to the turn that has waited longest, or keep it ready. End it if it is one too many."""
        if not self._is_closed and self._queue.serve(process):
            return
        if self._is_closed or len(self._ready) >= self.target_count:
            process.close()
        else:
            self._ready.append(process)


def _close_all(processes: Iterable[Process], grace: float) -> None:
    """Close several processes in parallel."""
    gevent.joinall([gevent.spawn(process.close, grace) for process in processes])


def _is_accident(error: Exception) -> bool:
    """Return True if a start failed for a reason that has nothing to do with the CLI."""
    if isinstance(error, ProcessEnded):
        return find_signal(error.returncode) is not None
    return isinstance(error, OSError) and error.errno in _TRANSIENT
