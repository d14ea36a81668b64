"""The warm pool, with scripted CLIs as its processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gateway.claude.cli import hangs
from gateway.claude.cli.process import Process, count_living
from gateway.claude.fleet import warm_pool
from gateway.claude.fleet.demand import Demand
from gateway.claude.fleet.wait_queue import Ticket
from gateway.claude.fleet.warm_pool import WarmPool
from gateway.errors import ClaudeUnavailable, ClientGone
from tests.support.processes import run_until, spawn_scripted_cli
from tests.support.scripted import ScriptedCli
from tests.support.sockets import are_reaped

# From Python 3.12 on, a fork warns about the stand-in's threads, which other tests may run in this process.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
    pytest.mark.usefixtures("no_processes_left"),
]


class Spawner:
    """Starts scripted CLIs for a pool and counts how many were starting at once."""

    def __init__(self, cli: ScriptedCli) -> None:
        self.cli = cli
        self.count = 0
        self.max_starting = 0
        self.pool: WarmPool | None = None
        self.reported: list[Any] = []

    def __call__(self) -> Process:
        assert self.pool
        self.count += 1
        self.max_starting = max(self.max_starting, self.pool.starting_count)
        return spawn_scripted_cli(self.cli)

    def make_pool(self, size: int, **options: Any) -> WarmPool:
        """Return a pool that starts its processes here."""
        self.pool = WarmPool(self, self.reported.append, size=size, **options)
        return self.pool

    def open_pool(self, size: int, **options: Any) -> WarmPool:
        """Return a pool that is open and full."""
        pool = self.make_pool(size, **options)
        pool.open()
        run_until(lambda: pool.ready_count == size)
        return pool


@pytest.fixture
def spawner(cli: ScriptedCli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spawner]:
    """Return a spawner whose pools retry failed starts quickly."""
    monkeypatch.setattr(warm_pool, "RETRY_DELAYS", (0.05, 0.1))
    spawner = Spawner(cli)
    yield spawner
    if spawner.pool:
        spawner.pool.close()


def take(pool: WarmPool, count: int) -> list[Process]:
    """Take `count` processes at the same time."""
    takers = [gevent.spawn(pool.take, Ticket[Process](), 10.0) for _ in range(count)]
    gevent.joinall(takers, timeout=20, raise_error=True)
    return [taker.value for taker in takers if taker.value]


def close(processes: Sequence[Process]) -> None:
    for process in processes:
        process.close()


def test_pool_starts_a_replacement_for_a_process_that_was_taken(spawner: Spawner) -> None:
    pool = spawner.open_pool(2)
    assert spawner.reported == [[], []]
    taken = take(pool, 1)
    run_until(lambda: pool.ready_count == 2)
    assert (pool.starts, pool.failures, count_living()) == (3, 0, 3)
    close(taken)


def test_pool_grows_to_the_size_of_a_burst_but_limits_simultaneous_starts(spawner: Spawner) -> None:
    pool = spawner.make_pool(3, max_starting=2)
    pool.open()
    taken = take(pool, 8)
    assert len({process.pid for process in taken}) == 8
    run_until(lambda: pool.ready_count == pool.target_count == 8 and not pool.starting_count)
    assert spawner.max_starting == 2
    assert spawner.count == 16
    close(taken)


def test_core_is_left_to_answers_while_no_turn_waits(
    spawner: Spawner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_pool, "REFILL_DELAY_SECONDS", 0.0)
    pool = spawner.open_pool(4, max_starting=2)
    assert spawner.max_starting == 2  # nothing is answered yet
    spawner.max_starting = 0
    taken = take(pool, 4)
    run_until(lambda: pool.ready_count == 4)
    assert spawner.max_starting == 1
    close(taken)


def test_replacement_starts_at_once_if_the_pool_will_be_empty_soon(
    spawner: Spawner, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = spawner.open_pool(1)
    taken = take(pool, 1)
    assert pool.starting_count == 0  # the new turn has the CPU first
    run_until(lambda: pool.ready_count == 1)
    monkeypatch.setattr(Demand, "rate", 2.0)
    taken += take(pool, 1)
    assert pool.starting_count == 1
    close(taken)


def test_surplus_of_a_burst_ends_when_it_is_forgotten(spawner: Spawner) -> None:
    pool = spawner.open_pool(1, remember_seconds=1.5)
    taken = take(pool, 3)
    run_until(lambda: pool.ready_count == 3)
    run_until(lambda: pool.target_count == 1)
    pool.end_lost()
    assert pool.ready_count == 1
    run_until(lambda: count_living() == 4)
    close(taken)


def test_take_skips_a_dead_process(spawner: Spawner) -> None:
    pool = spawner.open_pool(1)
    (dead,) = pool._ready
    os.kill(dead.pid, signal.SIGKILL)
    run_until(lambda: not dead.is_alive)
    (taken,) = take(pool, 1)
    assert taken.pid != dead.pid
    assert taken.is_alive
    taken.close()


def test_periodic_check_replaces_a_dead_process(spawner: Spawner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_pool, "CHECK_SECONDS", 0.05)
    pool = spawner.open_pool(2)
    dead = pool._ready[0]
    os.kill(dead.pid, signal.SIGKILL)
    run_until(lambda: spawner.count == 3 and pool.ready_count == 2)
    assert dead not in pool._ready


def test_dead_process_leaves_the_pool_and_is_replaced(spawner: Spawner) -> None:
    pool = spawner.open_pool(2)
    dead = pool._ready[0]
    os.kill(dead.pid, signal.SIGKILL)
    run_until(lambda: not dead.is_alive)
    pool.end_lost()
    assert (pool.ready_count, pool.starting_count) == (1, 1)
    run_until(lambda: pool.ready_count == 2)


def test_check_kills_a_process_that_hangs(spawner: Spawner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hangs, "HANG_SECONDS", 0.05)
    pool = spawner.open_pool(2)
    stopped, healthy = pool._ready
    os.kill(stopped.pid, signal.SIGSTOP)
    pool.check_all()
    run_until(lambda: stopped.has_ended and pool.ready_count == 2)
    assert healthy in pool._ready


def test_renew_replaces_all_idle_processes(spawner: Spawner) -> None:
    pool = spawner.open_pool(2)
    stale = [process.pid for process in pool._ready]
    pool.renew()
    run_until(lambda: pool.ready_count == 2 and are_reaped(*stale))
    assert not {process.pid for process in pool._ready} & set(stale)


def test_process_stays_in_the_pool_when_the_turn_that_waited_for_it_has_left(spawner: Spawner) -> None:
    pool = spawner.make_pool(1)
    ticket = Ticket[Process]()
    taker = gevent.spawn(pool.take, ticket, 10.0)
    gevent.sleep(0)
    ticket.cancel(ClientGone())
    taker.join(10)
    assert isinstance(taker.exception, ClientGone)
    run_until(lambda: not pool.starting_count)
    assert pool.ready_count == count_living() == 1


def start_check(pool: WarmPool, monkeypatch: pytest.MonkeyPatch) -> Event:
    """Start to check the idle processes. They answer once the returned event is set."""
    may_answer, send_requests = Event(), Process.send_requests

    def answer_slowly(process: Process, *arguments: Any) -> Any:
        may_answer.wait(20)
        return send_requests(process, *arguments)

    monkeypatch.setattr(Process, "send_requests", answer_slowly)
    pool.check_all()
    return may_answer


def test_waiting_turn_gets_the_only_process_after_its_check(
    spawner: Spawner, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = spawner.open_pool(1)
    may_answer = start_check(pool, monkeypatch)
    gevent.spawn_later(0.05, may_answer.set)
    (taken,) = take(pool, 1)
    assert (spawner.count, pool.starting_count) == (1, 0)  # no start was needed
    run_until(lambda: pool.ready_count == 1)
    assert count_living() == 2
    taken.close()


def test_process_counts_while_it_is_checked(spawner: Spawner, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = spawner.open_pool(2)
    may_answer = start_check(pool, monkeypatch)
    pool._refill()
    assert (pool.ready_count, pool.starting_count, pool.process_count) == (0, 0, 2)
    may_answer.set()
    run_until(lambda: pool.ready_count == 2)
    assert spawner.count == 2


def test_pool_asks_before_each_start_and_says_if_it_is_urgent(spawner: Spawner) -> None:
    asked: list[tuple[int, bool]] = []

    def allow_one(is_urgent: bool) -> bool:
        asked.append((pool.process_count, is_urgent))
        return pool.process_count == 0

    pool = spawner.make_pool(2, allows_start=allow_one)
    pool.open()
    run_until(lambda: pool.ready_count == 1)
    assert asked[:2] == [(0, True), (1, True)]
    assert spawner.count == 1


def test_turn_gets_the_reason_of_failed_starts_and_retries_pause(spawner: Spawner) -> None:
    spawner.cli.set_mode("never-start")
    pool = spawner.make_pool(2)
    pool.open()
    with pytest.raises(ClaudeUnavailable, match="cannot start today"):
        pool.take(Ticket(), 10.0)
    assert pool.failure
    seen, began = spawner.count, time.monotonic()
    run_until(lambda: spawner.count > seen, 30)  # the start after a turn has asked waits for a second
    gevent.sleep(0.5)
    assert spawner.count - seen <= 2 * (1 + (time.monotonic() - began) / 0.1)
    spawner.cli.set_mode("")
    run_until(lambda: pool.ready_count == 2)
    assert pool.failure is None


@pytest.mark.parametrize("mode", ["killed-at-start", "killed-in-shell"])
def test_turns_wait_while_starts_are_killed(spawner: Spawner, mode: str) -> None:
    """A kernel that is out of memory kills starts. The next one may succeed."""
    spawner.cli.set_mode(mode)
    pool = spawner.make_pool(2)
    pool.open()
    taken: list[Process] = []
    taker = gevent.spawn(lambda: taken.extend(take(pool, 1)))
    run_until(lambda: pool.failures >= 6)
    assert not taker.ready()
    assert "killed, probably out of memory" in str(pool.problem)
    spawner.cli.set_mode("")
    taker.join(10)
    assert pool.problem is None
    close(taken)


def test_turn_gets_the_reason_if_all_starts_are_killed_until_the_time_is_up(spawner: Spawner) -> None:
    spawner.cli.set_mode("killed-at-start")
    pool = spawner.make_pool(0)
    with pytest.raises(ClaudeUnavailable, match="killed, probably out of memory"):
        pool.take(Ticket(), 0.5)


def test_unforeseen_error_counts_as_a_failed_start(spawner: Spawner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawner, "cli", None)
    pool = spawner.make_pool(2)
    pool.open()
    began = time.monotonic()
    with pytest.raises(ClaudeUnavailable):
        pool.take(Ticket(), 20.0)
    gevent.sleep(0.3)
    assert spawner.count <= 2 * (2 + (time.monotonic() - began) / 0.05)


def test_missing_program_is_the_reason_of_a_failed_start(spawner: Spawner) -> None:
    spawner.cli.path.unlink()
    pool = spawner.make_pool(1)
    pool.open()
    with pytest.raises(ClaudeUnavailable, match="No such file"):
        pool.take(Ticket(), 10.0)


def test_take_fails_if_no_process_is_ready_in_time(spawner: Spawner) -> None:
    spawner.cli.set_mode("never-answer")
    pool = spawner.make_pool(0, start_timeout=0.4)
    with pytest.raises(ClaudeUnavailable, match=r"within 0\.1 seconds"):
        pool.take(Ticket(), 0.1)
    run_until(lambda: pool.failures == 1)
    assert count_living() == 0


def test_closing_the_pool_ends_a_wait_for_a_process(spawner: Spawner) -> None:
    spawner.cli.set_mode("never-answer")
    pool = spawner.make_pool(0, start_timeout=0.5)
    taker = gevent.spawn(pool.take, Ticket(), 10.0)
    run_until(lambda: count_living() == 1)
    pool.close()
    taker.join(10)
    assert isinstance(taker.exception, ClaudeUnavailable)
    run_until(lambda: count_living() == 0)
    assert spawner.count == 1
