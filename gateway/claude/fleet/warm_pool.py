"""The warm pool: generic CLI processes started ahead of need, one for each conversation to come.

A process is warm once it has answered a control request. `take` hands one out and a replacement is started in the
background, never more than `max_starting` at once (a start forks and costs the CLI about half a second of CPU).
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

from gateway.claude.cli.process import ControlRefused, ControlTimeout, Process, ProcessEnded, settle
from gateway.claude.fleet.demand import Demand
from gateway.claude.fleet.wait_queue import Line, Ticket
from gateway.errors import ClaudeUnavailable, GatewayError

log = logging.getLogger(__name__)

RETRY_DELAYS = (0.5, 1.0, 2.0, 5.0, 10.0)  # seconds between starts that fail one after the other
REFILL_DELAY_SECONDS = 1.0  # a start takes the CPU that the turn just begun needs for its first token
RENEW_SECONDS = 1800.0
CHECK_SECONDS = 30.0  # how often an idle process is asked whether it still answers

StartFailure = (OSError, ProcessEnded, ControlRefused, ControlTimeout)


class WarmPool:
    """Keeps `size` processes ready, and more after a burst of new conversations, until that is forgotten, but
    never more than `most`.

    `spawn` starts a process; `allows_start` is asked before, with whether it is urgent (needed for a turn that waits,
    or for `size`). `on_models` is told the model catalogue (list of ModelInfo dicts) that each new
    process reports. Times are in seconds.
    """

    def __init__(
        self,
        spawn: Callable[[], Process],
        on_models: Callable[[list[dict[str, Any]]], None],
        *,
        size: int,
        most: int | None = None,
        allows_start: Callable[[bool], bool] = lambda urgent: True,
        max_starting: int = 2,
        start_timeout: float = 30.0,
    ) -> None:
        self.size = size
        self._most = most
        self._demand = Demand()
        self._allows_start = allows_start
        self.starts = self.failures = self._failed_in_a_row = 0
        self.hits = self.misses = 0  # conversations that found a process ready, or had to wait for one
        self.starting = 0
        self._spawn = spawn
        self._on_models = on_models
        self._max_starting = max_starting
        self._start_timeout = start_timeout
        self._ready: deque[Process] = deque()
        self._checked = 0
        self._line: Line[Process] = Line()
        self._last_failure: GatewayError | None = None
        self._closed = False
        self._refilling = False
        self._taken = 0.0
        self.settled = Event()  # it is known whether processes start
        self._checker: gevent.Greenlet[..., None] | None = None

    @property
    def ready(self) -> int:
        """How many processes wait for a conversation."""
        return len(self._ready)

    @property
    def idle(self) -> int:
        """How many processes have no conversation: those that are ready, and those that are being checked."""
        return len(self._ready) + self._checked

    @property
    def wanted(self) -> int:
        """How many turns wait for a process."""
        return len(self._line)

    @property
    def target(self) -> int:
        """How many processes should be ready."""
        burst = self._demand.burst
        return max(self.size, burst if self._most is None else min(burst, self._most))

    @property
    def failure(self) -> GatewayError | None:
        """Why the last start failed, while starts fail."""
        return self._last_failure

    def open(self) -> None:
        """Start filling the pool."""
        self._checker = gevent.spawn(self._check_forever)
        self._refill()

    def take(self, ticket: Ticket[Process], timeout: float) -> Process:
        """A warm process; the caller owns it and closes it.

        Raises ClaudeUnavailable when none can be started within `timeout`, or what the ticket is cancelled with.
        """
        self._demand.note()
        self._taken = time.monotonic()
        process = self.take_ready()
        if process is not None:
            self.hits += 1
        else:
            self.misses += 1
            process = self._wait_for_one(ticket, timeout)
        self.refill_later()
        return process

    def take_ready(self) -> Process | None:
        """A process that is ready, if there is one."""
        while self._ready:
            process = self._ready.popleft()
            if process.alive:
                return process
            process.close()
        return None

    def refill_later(self) -> None:
        """Start what is missing, once the turn that took a process is on its way."""
        if not self._refilling:
            self._refilling = True
            gevent.spawn_later(REFILL_DELAY_SECONDS, self._refill)

    def renew(self) -> None:
        """Throw the waiting processes away (they may hold a stale login) and start fresh ones."""
        stale, self._ready = list(self._ready), deque()
        gevent.spawn(settle, stale, 0.0)
        self._refill()

    def retire(self) -> None:
        """End the waiting processes; from now on start one only for a turn that waits for it."""
        self.size = self._most = 0
        self.renew()

    def close(self, grace: float = 0.5) -> None:
        """Start no more and end the waiting processes."""
        self._closed = True
        if self._checker is not None:
            self._checker.kill(block=False)
        self._line.fail(ClaudeUnavailable("The gateway is stopping."))
        processes, self._ready = list(self._ready), deque()
        settle(processes, grace)

    def _wait_for_one(self, ticket: Ticket[Process], timeout: float) -> Process:
        self._line.join(ticket)
        self._refill()
        try:
            return ticket.wait(timeout)
        except TimeoutError:
            raise self._last_failure or ClaudeUnavailable(
                f"No Claude Code process got ready within {timeout:g} seconds."
            ) from None
        finally:
            self._line.leave(ticket)

    def _refill(self) -> None:
        """Start as many processes as are missing, within the cap."""
        self._refilling = False
        while not self._closed and self.starting < self._max_starting and self._missing() > 0:
            if not self._allows_start(self._is_urgent()):
                break
            self.starting += 1
            gevent.spawn(self._start_one)

    def _missing(self) -> int:
        if self.wanted:  # first things first
            return self.wanted - self.starting
        return self.target - self.idle - self.starting

    def _is_urgent(self) -> bool:
        return self.wanted > 0 or self.idle + self.starting < self.size

    def _start_one(self) -> None:
        try:
            if self._failed_in_a_row:
                gevent.sleep(RETRY_DELAYS[min(self._failed_in_a_row, len(RETRY_DELAYS)) - 1])
            if not self._closed:
                self._add(self._warm_up(self._spawn()))
        except StartFailure as error:
            self._note_failure(error)
        except Exception as error:  # without a pause before the next start it would take the whole CPU
            log.exception("a claude process could not be started")
            self._note_failure(error)
        finally:
            self.starting -= 1
            if self.wanted or time.monotonic() - self._taken > REFILL_DELAY_SECONDS:
                self._refill()
            else:
                self.refill_later()

    def _warm_up(self, process: Process) -> Process:
        try:
            (answer,) = process.control([{"subtype": "list_models"}], self._start_timeout)
        except BaseException:
            process.close()
            raise
        self._on_models(answer.get("models", []))
        return process

    def _add(self, process: Process) -> None:
        self.starts += 1
        self._failed_in_a_row = 0
        self._last_failure = None
        self.settled.set()
        self._hand_out(process)

    def _note_failure(self, error: Exception) -> None:
        self.failures += 1
        self._failed_in_a_row += 1
        self._last_failure = ClaudeUnavailable(f"The Claude Code CLI does not start: {error}")
        log.error("a claude process did not start: %s", error)
        if self._failed_in_a_row > 1:  # one failure may be chance
            self.settled.set()
            self._line.fail(self._last_failure)

    def _check_forever(self) -> None:
        while True:
            gevent.sleep(CHECK_SECONDS)
            self._shrink()
            for process in list(self._ready):
                self._check(process)
            self._refill()

    def _shrink(self) -> None:
        """End what is no longer needed, and what has waited for long: `_refill` starts fresh ones."""
        too_old = time.monotonic() - RENEW_SECONDS
        for process in list(self._ready):
            if len(self._ready) > self.target or process.spawned < too_old:
                self._ready.remove(process)
                process.close(grace=1.0)

    def _check(self, process: Process) -> None:
        """Ask a waiting process for a sign of life; out of the pool while it is asked."""
        if process not in self._ready:
            return
        self._ready.remove(process)
        self._checked += 1
        try:
            process.control([{"subtype": "get_binary_version"}], self._start_timeout)
        except StartFailure as error:
            log.warning(
                "a warm claude process was lost after %.0f s: %s", time.monotonic() - process.spawned, error
            )
            process.close()
        else:
            self._hand_out(process)
        finally:
            self._checked -= 1

    def _hand_out(self, process: Process) -> None:
        """To whoever waits longest, else into the pool; one too many (whoever it was for has left) is ended."""
        if not self._closed and self._line.serve(process):
            return
        if self._closed or len(self._ready) >= self.target:
            process.close()
        else:
            self._ready.append(process)
