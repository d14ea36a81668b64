"""The warm pool, of scripted CLIs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gateway.claude.cli.process import Process, living
from gateway.claude.fleet import warm_pool as pool
from gateway.claude.fleet.budget import Budget
from gateway.claude.fleet.parked import ParkedConversations
from gateway.claude.fleet.slots import Slots
from gateway.claude.fleet.wait_queue import Ticket
from gateway.claude.fleet.warm_pool import WarmPool
from gateway.errors import ClaudeUnavailable, ClientGone
from tests.support.processes import run_until, spawn_scripted_cli
from tests.support.scripted import ScriptedCli
from tests.support.sockets import are_reaped

# From Python 3.12 on a fork warns of the stand-in's threads, which other tests in this process may run.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Each test ends all its processes."""
    assert living() == 0
    yield
    run_until(lambda: living() == 0)


class Spawner:
    """Starts the scripted CLI for a pool, and notes how many were starting at once."""

    def __init__(self, cli: ScriptedCli) -> None:
        self.cli = cli
        self.count = 0
        self.most = 0
        self.pool: WarmPool | None = None
        self.reported: list[Any] = []

    def __call__(self) -> Process:
        assert self.pool
        self.count += 1
        self.most = max(self.most, self.pool.starting)
        return spawn_scripted_cli(self.cli)

    def make(self, size: int, **options: Any) -> WarmPool:
        """A pool of these."""
        self.pool = WarmPool(self, self.reported.append, size=size, **options)
        return self.pool


@pytest.fixture
def spawner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spawner]:
    """Pools of scripted CLIs; starts that fail are repeated quickly."""
    monkeypatch.setattr(pool, "RETRY_DELAYS", (0.05, 0.1))
    spawner = Spawner(ScriptedCli(tmp_path))
    yield spawner
    if spawner.pool:
        spawner.pool.close()


def take(pool: WarmPool, count: int) -> list[Process]:
    """Take processes all at once."""
    takers = [gevent.spawn(pool.take, Ticket[Process](), 10.0) for _ in range(count)]
    gevent.joinall(takers, timeout=20, raise_error=True)
    return [taker.value for taker in takers if taker.value]


def close(processes: Sequence[Process]) -> None:
    for process in processes:
        process.close()


def test_a_pool_fills_and_refills(spawner: Spawner) -> None:
    pool = spawner.make(2)
    pool.open()
    run_until(lambda: pool.ready == 2)
    assert spawner.reported == [[], []]
    taken = take(pool, 1)
    run_until(lambda: pool.ready == 2)
    assert (pool.starts, pool.failures, living()) == (3, 0, 3)
    close(taken)


def test_never_more_start_at_once_than_allowed(spawner: Spawner) -> None:
    pool = spawner.make(3, max_starting=2)
    pool.open()
    taken = take(pool, 8)
    assert len({process.pid for process in taken}) == 8
    run_until(lambda: pool.ready == pool.target == 8 and not pool.starting)  # as many as came at once
    assert spawner.most == 2
    assert spawner.count == 16
    close(taken)


def test_a_dead_process_is_replaced(spawner: Spawner) -> None:
    pool = spawner.make(1)
    pool.open()
    run_until(lambda: pool.ready == 1)
    (dead,) = pool._ready
    os.kill(dead.pid, signal.SIGKILL)
    run_until(lambda: not dead.alive)
    (taken,) = take(pool, 1)
    assert taken.pid != dead.pid
    assert taken.alive
    taken.close()


def test_a_check_finds_the_dead(spawner: Spawner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "CHECK_SECONDS", 0.05)
    warm = spawner.make(2)
    warm.open()
    run_until(lambda: warm.ready == 2)
    dead = warm._ready[0]
    os.kill(dead.pid, signal.SIGKILL)
    run_until(lambda: spawner.count == 3 and warm.ready == 2)
    assert dead not in warm._ready


def test_renewing_replaces_all(spawner: Spawner) -> None:
    pool = spawner.make(2)
    pool.open()
    run_until(lambda: pool.ready == 2)
    stale = [process.pid for process in pool._ready]
    pool.renew()
    run_until(lambda: pool.ready == 2 and are_reaped(*stale))
    assert not {process.pid for process in pool._ready} & set(stale)


def test_who_leaves_before_a_process_is_ready(spawner: Spawner) -> None:
    """Neither is a process handed to nobody, nor does the pool grow by it."""
    pool = spawner.make(1)
    ticket = Ticket[Process]()
    taker = gevent.spawn(pool.take, ticket, 10.0)
    gevent.sleep(0)
    ticket.cancel(ClientGone())
    taker.join(10)
    assert isinstance(taker.exception, ClientGone)
    run_until(lambda: not pool.starting)
    assert pool.ready == living() == 1


def checking(warm: WarmPool, monkeypatch: pytest.MonkeyPatch) -> tuple[gevent.Greenlet[..., None], Event]:
    """A process is away to be checked; it answers once the event is set."""
    answered, ask = Event(), Process.control

    def slow(process: Process, *arguments: Any) -> Any:
        answered.wait(20)
        return ask(process, *arguments)

    monkeypatch.setattr(Process, "control", slow)
    before = warm.ready
    checker = gevent.spawn(warm._check, warm._ready[0])
    run_until(lambda: warm.ready == before - 1)
    return checker, answered


def test_who_waits_gets_a_process_that_was_checked(spawner: Spawner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only one is away to be checked in the moment it is asked for."""
    warm = spawner.make(1)
    warm.open()
    run_until(lambda: warm.ready == 1)
    checker, answered = checking(warm, monkeypatch)
    gevent.spawn_later(0.05, answered.set)
    (taken,) = take(warm, 1)
    checker.join(20)
    run_until(lambda: not warm.starting)
    assert (warm.ready, living()) == (1, 2)
    taken.close()


def test_a_process_that_is_checked_is_not_missing(spawner: Spawner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started in its place, and it still takes a place of the budget."""
    warm = spawner.make(2)
    budget = Budget(2, Slots(1, 1, 1.0), ParkedConversations(lambda _: None))
    budget.pool = warm
    warm.open()
    run_until(lambda: warm.ready == 2)
    checker, answered = checking(warm, monkeypatch)
    warm._refill()
    assert (warm.starting, budget.used) == (0, 2)
    answered.set()
    checker.join(20)
    assert (warm.ready, spawner.count) == (2, 2)


def test_starts_that_fail_are_told_and_not_piled_up(spawner: Spawner) -> None:
    spawner.cli.set_mode("never-start")
    pool = spawner.make(2)
    pool.open()
    with pytest.raises(ClaudeUnavailable, match="cannot start today"):
        pool.take(Ticket(), 10.0)
    assert pool.failure
    seen, began = spawner.count, time.monotonic()
    run_until(lambda: spawner.count > seen, 30)  # after a turn has asked, the next start waits a second
    gevent.sleep(0.5)
    assert spawner.count - seen <= 2 * (1 + (time.monotonic() - began) / 0.1)
    spawner.cli.set_mode("")
    run_until(lambda: pool.ready == 2)
    assert pool.failure is None


def test_a_start_that_fails_in_an_unforeseen_way(spawner: Spawner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawner, "cli", None)
    pool = spawner.make(2)
    pool.open()
    began = time.monotonic()
    with pytest.raises(ClaudeUnavailable):
        pool.take(Ticket(), 20.0)
    gevent.sleep(0.3)
    assert spawner.count <= 2 * (2 + (time.monotonic() - began) / 0.05)


def test_a_program_that_is_gone(spawner: Spawner) -> None:
    spawner.cli.path.unlink()
    pool = spawner.make(1)
    pool.open()
    with pytest.raises(ClaudeUnavailable, match="No such file"):
        pool.take(Ticket(), 10.0)


def test_a_process_that_does_not_get_ready_in_time(spawner: Spawner) -> None:
    spawner.cli.set_mode("never-answer")
    pool = spawner.make(0, start_timeout=0.4)
    with pytest.raises(ClaudeUnavailable, match=r"within 0\.1 seconds"):
        pool.take(Ticket(), 0.1)
    run_until(lambda: pool.failures == 1)
    assert living() == 0


def test_a_closed_pool_serves_nobody(spawner: Spawner) -> None:
    spawner.cli.set_mode("never-answer")
    pool = spawner.make(0, start_timeout=0.5)
    taker = gevent.spawn(pool.take, Ticket(), 10.0)
    run_until(lambda: living() == 1)
    pool.close()
    taker.join(10)
    assert isinstance(taker.exception, ClaudeUnavailable)
    run_until(lambda: living() == 0)
    assert spawner.count == 1


def test_a_warm_process_gives_way_to_a_turn_with_its_own(spawner: Spawner) -> None:
    pool, slots = spawner.make(2), Slots(2, 0, 1.0)
    budget = Budget(2, slots, ParkedConversations(lambda conversation: None))
    budget.pool = pool
    pool.open()
    run_until(lambda: pool.ready == 2)
    budget.make_room()
    assert pool.ready == 2
    slots.acquire(Ticket())
    budget.make_room()
    assert pool.ready == 1
    run_until(lambda: living() == 1)
