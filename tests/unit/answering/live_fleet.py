"""The effects of live settings on the processes and slots of a fleet. See `live_effects`."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import gevent

from gateway.claude.cli.conversation import Conversation
from gateway.claude.cli.process import Process, list_living_pids
from gateway.claude.fleet.fleet import Fleet
from gateway.claude.fleet.wait_queue import Ticket
from gateway.claude.fleet.warm_pool import REFILL_DELAY_SECONDS
from gateway.errors import ClaudeUnavailable, GatewayError, TooManyTurns
from tests.support.processes import run_until
from tests.unit.answering.live_rig import MOST, NUMBERS, Observe, Rig
from tests.unit.claude.fleets import answer, turn

PATIENCE = 0.7  # seconds; the short times of the effects end before, and the usual ones do not


def take_slots(rig: Rig, size: int = 0) -> tuple[int, int]:
    """Ask for many slots at once. Return the number of turns that run, and of those that wait."""
    fleet, tickets = rig.services.claude._fleet, [Ticket[bool]() for _ in range(MOST)]
    takers = [gevent.spawn(_take_slot, fleet, ticket, size) for ticket in tickets]
    gevent.sleep(0.01)
    found = fleet.status()["running"], fleet.status()["queued"]
    for ticket in tickets:
        ticket.cancel(TooManyTurns())
    gevent.joinall(takers)
    for taker in takers:
        if taker.value:
            fleet.release_slot()
    return found


def _take_slot(fleet: Fleet, ticket: Ticket[bool], size: int) -> bool:
    try:
        fleet.acquire_slot(ticket, measure=lambda: size)
    except TooManyTurns:
        return False
    return True


def ends_soon(work: Callable[[], object]) -> bool:
    """Return True if some work ends within PATIENCE."""
    greenlet = gevent.spawn(work)
    greenlet.join(PATIENCE)
    has_ended = greenlet.ready()
    greenlet.kill()
    return bool(has_ended)


def wait_in_the_queue(rig: Rig) -> bool:
    fleet = rig.services.claude._fleet
    running = fleet.settings.max_running_turns
    for _ in range(running):
        fleet.acquire_slot(Ticket())
    has_ended = ends_soon(lambda: _take_slot(fleet, Ticket(), 0))
    for _ in range(running):
        fleet.release_slot()
    return has_ended


def end_long_answer(text: str) -> Observe:
    """Return an observation: an endless answer is ended soon."""

    def observe(rig: Rig) -> bool:
        return ends_soon(lambda: _answer_and_fail(rig.fleet, text))

    return observe


def _answer_and_fail(fleet: Fleet, text: str) -> None:
    try:
        answer(fleet, turn(text))
    except GatewayError:
        return


def start_silent_process(rig: Rig) -> bool:
    """Return True if a start that hangs fails soon, for the pool and for the turn that waits."""
    fleet = rig.fleet
    rig.cli.set_mode("never-answer")
    fleet._seats["default"].pool.renew()
    failures = fleet.status()["start_failures"]
    has_failed = ends_soon(lambda: _await_failure(fleet, failures))
    rig.cli.set_mode("")
    for pid in list_living_pids():  # they would hang for as long as they were told to
        os.kill(pid, signal.SIGKILL)
    run_until(lambda: fleet.status()["warm"] == 1)
    return has_failed


def _await_failure(fleet: Fleet, failures: int) -> None:
    with suppress(ClaudeUnavailable):
        fleet.take_warm(Ticket())
    run_until(lambda: fleet.status()["start_failures"] > failures)


def keep_conversation(rig: Rig) -> int:
    answer(rig.fleet, turn(f"hello {next(NUMBERS)}"))
    kept = settle(rig, "kept")
    return kept - int(rig.fleet.status()["prepared"])


def wait_for_tools(rig: Rig) -> int:
    """Return the number of conversations that still wait for the results of tools."""
    fleet = rig.fleet
    conversation = Conversation(fleet.take_warm(Ticket[Process]()), turn("hello"), 300.0)
    conversation._waiting_calls = ("call_1",)
    fleet.park(b"%d" % next(NUMBERS), conversation)
    found = settle(rig, "waiting_for_tools")
    fleet._parked.clear()
    return found


def settle(rig: Rig, name: str) -> int:
    """Return a figure of the fleet when it has stayed the same for longer than a pool waits with a start."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < REFILL_DELAY_SECONDS + 0.2:
        current = rig.fleet.status()[name]
        if current != seen or rig.fleet.status()["starting"]:
            seen, since = current, time.monotonic()
        gevent.sleep(0.02)
    return int(seen)


def burst(rig: Rig) -> int:
    """Return the number of processes that are ready since three conversations began at once."""
    if not rig.fleet.status()["warm_hits"]:
        gevent.joinall([gevent.spawn(answer, rig.fleet, turn(f"hello {number}")) for number in range(3)])
    return settle(rig, "warm")


def count_processes(rig: Rig) -> tuple[int, int]:
    """Return the number of idle processes, and of turns that may run."""
    return settle(rig, "processes"), take_slots(rig)[0]


def resolve(name: str | None) -> Observe:
    return lambda rig: rig.services.claude.catalog.resolve(name).id.split("-")[1]
