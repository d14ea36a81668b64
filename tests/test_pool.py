"""The parts under a turn, each on its own: lines of waiting greenlets, slots, processes and the warm pool."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gateway.claude import conversation, pool
from gateway.claude.budget import Budget
from gateway.claude.catalogue import Catalogue
from gateway.claude.conversation import Conversation
from gateway.claude.kept import Kept
from gateway.claude.pool import WarmPool
from gateway.claude.process import (
    ControlRefused,
    ControlTimeout,
    Process,
    ProcessEnded,
    await_programs,
    living,
)
from gateway.claude.slots import Slots
from gateway.claude.tuning import tune
from gateway.claude.waiting import Line, Ticket
from gateway.errors import ClaudeUnavailable, ClientGone, GatewayError, TooManyTurns, UpstreamError
from gateway.turn import Message, Turn
from tests.scripted import ScriptedCli
from tests.sockets import gone

# From Python 3.12 on a fork warns of the stand-in's threads, which other tests in this process may run.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('{"type": "up"}', flush=True)
time.sleep(60)
"""
ENDS_AT_TERM = 'import time\nprint(\'{"type": "up"}\', flush=True)\ntime.sleep(60)'


def until(condition: Callable[[], Any], timeout: float = 10.0) -> None:
    """Let greenlets run until `condition()` is true."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s"
        gevent.sleep(0.005)


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Each test ends all its processes."""
    assert living() == 0
    yield
    until(lambda: living() == 0)


@pytest.fixture
def python(tmp_path: Path) -> Iterator[Callable[[str], Process]]:
    """Starts a Python program in place of the CLI."""
    started: list[Process] = []

    def start(program: str) -> Process:
        started.append(Process([sys.executable, "-S", "-E", "-c", program], {}, str(tmp_path)))
        return started[-1]

    yield start
    for process in started:
        process.close()


# Lines


def test_a_line_serves_in_order() -> None:
    line: Line[int] = Line()
    tickets: list[Ticket[int]] = [Ticket() for _ in range(3)]
    for ticket in tickets:
        line.join(ticket)
    assert [line.serve(number) for number in range(4)] == [True, True, True, False]
    assert [ticket.wait(0) for ticket in tickets] == [0, 1, 2]


def test_a_line_passes_over_who_has_left() -> None:
    line: Line[str] = Line()
    leaver, gone_ticket, stayer = Ticket[str](), Ticket[str](), Ticket[str]()
    for ticket in (leaver, gone_ticket, stayer):
        line.join(ticket)
    line.leave(leaver)
    gone_ticket.cancel(ClientGone())
    assert len(line) == 1
    assert line.serve("it")
    assert stayer.wait(0) == "it"
    with pytest.raises(ClientGone):
        gone_ticket.wait(0)


def test_a_wait_ends_with_its_timeout() -> None:
    with pytest.raises(TimeoutError):
        Ticket[int]().wait(0.01)


def test_what_was_served_cannot_be_cancelled() -> None:
    """Else what was handed over would belong to nobody."""
    ticket = Ticket[str]()
    ticket.serve("it")
    ticket.cancel(ClientGone())
    assert ticket.wait(1) == "it"


class _Late:
    """A result that is there in the very moment in which the wait for it is over."""

    def ready(self) -> bool:
        return True

    def get(self, timeout: float | None = None) -> str:
        if timeout is not None:
            raise gevent.Timeout
        return "it"


def test_what_is_served_in_the_moment_of_the_timeout_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = Ticket[str]()
    monkeypatch.setattr(ticket, "_result", _Late())
    assert ticket.wait(0.01) == "it"


# Slots


def acquire(slots: Slots, log: list[object], name: object, ticket: Ticket[bool] | None = None) -> Any:
    """A greenlet that takes a slot and notes its name, or the error it gets."""

    def take() -> None:
        try:
            slots.acquire(ticket or Ticket())
        except GatewayError as error:
            log.append((name, error.code))
        else:
            log.append(name)

    greenlet = gevent.spawn(take)
    gevent.sleep(0)
    return greenlet


def test_slots_are_given_in_order() -> None:
    slots, log = Slots(2, 3, 5.0), list[object]()
    for number in range(6):
        acquire(slots, log, number)
    gevent.sleep(0)
    assert log == [0, 1, (5, "too_many_turns")]
    assert (slots.used, slots.waiting) == (2, 3)
    for served in (2, 3, 4):
        slots.release()
        gevent.sleep(0)
        assert log[-1] == served
    assert (slots.used, slots.waiting) == (2, 0)
    slots.release()
    slots.release()
    assert slots.used == 0


def test_nobody_overtakes_the_queue() -> None:
    """A slot that was promised to who waits is not free for who comes in that moment."""
    slots, log = Slots(1, 2, 5.0), list[object]()
    acquire(slots, log, "first")
    acquire(slots, log, "waiting")
    slots.release()
    acquire(slots, log, "newcomer")
    assert log == ["first", "waiting"]
    assert (slots.used, slots.waiting) == (1, 1)


def test_patience_ends() -> None:
    slots = Slots(1, 1, 0.02)
    slots.acquire(Ticket())
    with pytest.raises(TooManyTurns) as caught:
        slots.acquire(Ticket())
    assert caught.value.retry_after
    assert (slots.used, slots.waiting) == (1, 0)


def test_a_slot_is_not_lost_to_who_leaves() -> None:
    slots, log = Slots(1, 2, 5.0), list[object]()
    acquire(slots, log, "first")
    ticket = Ticket[bool]()
    acquire(slots, log, "leaver", ticket)
    ticket.cancel(ClientGone())
    acquire(slots, log, "second")
    slots.release()
    gevent.sleep(0)
    assert log == ["first", ("leaver", "client_closed_request"), "second"]
    assert (slots.used, slots.waiting) == (1, 0)


# Processes


def test_messages_go_both_ways(python: Callable[[str], Process]) -> None:
    process = python(ECHO)
    process.send({"type": "one", "text": "Grüße 🌍"}, {"type": "two"})
    lines: list[Any] = []
    while len(lines) < 2:
        lines += process.read(5)
    assert lines == [{"type": "one", "text": "Grüße 🌍"}, {"type": "two"}]


def test_half_a_surrogate_pair_goes_both_ways(python: Callable[[str], Process]) -> None:
    process = python(
        "import sys\nraw = sys.stdin.readline()\nprint('{\"type\": %s}' % ascii(raw).count('ud83d'))"
    )
    process.send({"type": "one", "text": "\ud83d"})
    with pytest.raises(ProcessEnded):  # a number is no type: the line is skipped
        process.read(5)


def test_reading_waits_no_longer_than_it_is_told(python: Callable[[str], Process]) -> None:
    process = python(ECHO)
    asked = time.monotonic()
    assert process.read(0.05) == []
    assert 0.04 < time.monotonic() - asked < 1


def test_half_a_line_is_kept_for_the_next_read(python: Callable[[str], Process]) -> None:
    process = python(
        "import sys, time\nout = sys.stdout\nout.write('{\"type\":'); out.flush()\n"
        "sys.stdin.readline()\nprint('\"whole\"}', flush=True)\nsys.stdin.readline()"
    )
    assert process.read(0.3) == []
    process.send({"type": "go on"})
    assert process.read(5) == [{"type": "whole"}]


def test_five_megabytes_to_a_slow_reader(python: Callable[[str], Process]) -> None:
    """Other greenlets go on meanwhile."""
    process = python(
        'import sys, time\ntime.sleep(0.2)\nprint(\'{"type": "%s"}\' % len(sys.stdin.readline()), flush=True)'
    )
    beats = 0

    def beat() -> None:
        nonlocal beats
        while True:
            gevent.sleep(0.01)
            beats += 1

    heart = gevent.spawn(beat)
    process.send({"type": "x" * 5_000_000})
    heart.kill()
    assert beats > 5
    assert process.read(5) == [{"type": str(5_000_000 + len('{"type":""}\n'))}]


def test_sending_to_who_has_ended(python: Callable[[str], Process]) -> None:
    process = python("import sys\nsys.exit('my last words')")
    process._child.wait(5)
    with pytest.raises(ProcessEnded) as caught:
        process.send({"type": "too late"})
    assert caught.value.returncode == 1
    assert "my last words" in str(caught.value)


def test_killing_wakes_who_reads_and_who_writes(python: Callable[[str], Process]) -> None:
    silent, deaf = python("import time\ntime.sleep(60)"), python("import time\ntime.sleep(60)")
    reader = gevent.spawn(silent.read)
    writer = gevent.spawn(deaf.send, {"type": "x" * 5_000_000})
    gevent.sleep(0.05)
    silent.kill()
    deaf.kill()
    for greenlet in (reader, writer):
        greenlet.join(2)
        assert isinstance(greenlet.exception, ProcessEnded)
    assert not silent.alive


def test_a_pipe_that_a_grandchild_holds_does_not_hold_the_reader(python: Callable[[str], Process]) -> None:
    process = python(
        'import os, time\nif os.fork() == 0: os.setsid()\nprint(\'{"type": "up"}\', flush=True)\ntime.sleep(5)'
    )
    assert process.read(5)
    reader = gevent.spawn(process.read)
    gevent.sleep(0.05)
    process.kill()
    reader.join(3)
    assert reader.ready()


def test_control_requests_are_answered_in_order(tmp_path: Path) -> None:
    process = spawn(ScriptedCli(tmp_path))
    first, second = process.control([{"subtype": "list_models"}, {"subtype": "initialize"}], 5)
    assert first == second
    assert first["models"] == []
    process.close()


def test_a_control_request_without_an_answer(python: Callable[[str], Process]) -> None:
    process = python("import time\ntime.sleep(60)")
    with pytest.raises(ControlTimeout, match="initialize"):
        process.control([{"subtype": "initialize"}], 0.05)


def test_a_refused_control_request_keeps_what_else_came(python: Callable[[str], Process]) -> None:
    process = python(
        'import json, sys\nasked = json.loads(sys.stdin.readline())\nprint(\'{"type": "other"}\')\n'
        "no = {'subtype': 'error', 'request_id': asked['request_id'], 'error': 'not today'}\n"
        "print(json.dumps({'type': 'control_response', 'response': no}), flush=True)\nsys.stdin.readline()"
    )
    with pytest.raises(ControlRefused, match="not today"):
        process.control([{"subtype": "initialize"}], 5)
    assert process.read(0) == [{"type": "other"}]


@pytest.mark.parametrize(
    ("program", "at_least", "at_most", "code"),
    [
        pytest.param(ECHO, 0.0, 0.9, 0, id="ends-with-its-input"),
        pytest.param(ENDS_AT_TERM, 0.9, 1.4, -signal.SIGTERM, id="ends-at-term"),
        pytest.param(STUBBORN, 1.4, 3.0, -signal.SIGKILL, id="has-to-be-killed"),
    ],
)
def test_closing_gets_stricter(
    python: Callable[[str], Process], program: str, at_least: float, at_most: float, code: int
) -> None:
    process = python(program)
    process.send({"type": "up"})
    assert process.read(5)
    asked = time.monotonic()
    process.close(grace=1.0)
    assert at_least <= time.monotonic() - asked < at_most
    assert process._child.returncode == code
    assert gone(process.pid)
    process.close()  # may be repeated


def test_closing_without_grace_kills_at_once(python: Callable[[str], Process]) -> None:
    process = python(STUBBORN)
    assert process.read(5)
    asked = time.monotonic()
    process.close()
    assert time.monotonic() - asked < 0.4
    assert gone(process.pid)


def test_what_the_process_has_started_ends_with_it(python: Callable[[str], Process]) -> None:
    process = python(
        "import os, time\nchild = os.fork()\n"
        'print(\'{"type": "child", "pid": %d}\' % os.getpid(), flush=True) if not child else None\n'
        "time.sleep(60)"
    )
    (line,) = process.read(5)
    process.close()
    until(lambda: gone(line["pid"]) or _is_zombie(line["pid"]), 2)


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def start_and_read(path: str) -> None:
    process = Process([path], {}, "/")
    try:
        process.read(5)
    finally:
        process.close()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_fifty_processes_leave_no_descriptor(python: Callable[[str], Process]) -> None:
    python("pass").close()
    before = descriptors()
    for number in range(50):
        process = python("pass")
        if number % 2:
            with pytest.raises(ProcessEnded):
                process.read(5)
        process.close(grace=float(number % 3))
    with pytest.raises((OSError, ProcessEnded)):
        start_and_read("/no-such-program")
    assert descriptors() == before


def test_a_missing_program_says_so(python: Callable[[str], Process]) -> None:
    process = Process(["/no-such-program"], {}, "/")
    with pytest.raises(ProcessEnded, match="no-such-program"):
        process.read(5)
    process.close()


RUNS_A_PROGRAM = """
import signal, subprocess, sys
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
signal.signal(signal.SIGTERM, lambda *_: (child.kill(), child.wait(), sys.exit()))
print('{"type": "up", "pid": %d}' % child.pid, flush=True)
signal.pause()
"""


def test_a_killed_process_can_end_its_programs_first(tmp_path: Path) -> None:
    process = Process([sys.executable, "-c", RUNS_A_PROGRAM], {}, str(tmp_path), runs_programs=True)
    (up,) = process.read(20)
    process.kill()
    with pytest.raises(ProcessEnded):
        process.read(5)
    await_programs(10)
    assert process.ended
    until(lambda: gone(up["pid"]))
    process.close()


# The set-up of a conversation


def test_a_set_up_that_is_never_answered(
    python: Callable[[str], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "CONTROL_TIMEOUT_SECONDS", 0.05)
    question = Message("user", ({"type": "text", "text": "hi"},))
    turn = Turn((question,))
    silent = Conversation(python("import time\ntime.sleep(60)"), turn, tool_seconds=1)
    with pytest.raises(UpstreamError):
        silent.set_up(tune(turn, Catalogue().resolve("haiku"), seeded=True))
    with pytest.raises(UpstreamError):
        silent.seed([question])


# The pool


def spawn(cli: ScriptedCli) -> Process:
    """A scripted CLI."""
    return Process([str(cli.path)], {"HOME": str(cli.home)}, str(cli.home))


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
        return spawn(self.cli)

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
    until(lambda: pool.ready == 2)
    assert spawner.reported == [[], []]
    taken = take(pool, 1)
    until(lambda: pool.ready == 2)
    assert (pool.starts, pool.failures, living()) == (3, 0, 3)
    close(taken)


def test_never_more_start_at_once_than_allowed(spawner: Spawner) -> None:
    pool = spawner.make(3, max_starting=2)
    pool.open()
    taken = take(pool, 8)
    assert len({process.pid for process in taken}) == 8
    until(lambda: pool.ready == pool.target == 8 and not pool.starting)  # as many as came at once
    assert spawner.most == 2
    assert spawner.count == 16
    close(taken)


def test_a_dead_process_is_replaced(spawner: Spawner) -> None:
    pool = spawner.make(1)
    pool.open()
    until(lambda: pool.ready == 1)
    (dead,) = pool._ready
    os.kill(dead.pid, signal.SIGKILL)
    until(lambda: not dead.alive)
    (taken,) = take(pool, 1)
    assert taken.pid != dead.pid
    assert taken.alive
    taken.close()


def test_a_check_finds_the_dead(spawner: Spawner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "CHECK_SECONDS", 0.05)
    warm = spawner.make(2)
    warm.open()
    until(lambda: warm.ready == 2)
    dead = warm._ready[0]
    os.kill(dead.pid, signal.SIGKILL)
    until(lambda: spawner.count == 3 and warm.ready == 2)
    assert dead not in warm._ready


def test_renewing_replaces_all(spawner: Spawner) -> None:
    pool = spawner.make(2)
    pool.open()
    until(lambda: pool.ready == 2)
    stale = [process.pid for process in pool._ready]
    pool.renew()
    until(lambda: pool.ready == 2 and gone(*stale))
    assert not {process.pid for process in pool._ready} & set(stale)


def test_who_leaves_before_a_process_is_ready(spawner: Spawner) -> None:
    """Neither is a process handed to nobody, nor does the pool grow by it."""
    pool = spawner.make(1)
    ticket = Ticket[Process]()
    taker = gevent.spawn(pool.take, ticket, 10.0)
    gevent.sleep(0)
    ticket.cancel(ClientGone())
    taker.join(1)
    assert isinstance(taker.exception, ClientGone)
    until(lambda: not pool.starting)
    assert pool.ready == living() == 1


def test_who_waits_gets_a_process_that_was_checked(spawner: Spawner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only one is away to be checked in the moment it is asked for."""
    warm = spawner.make(1)
    warm.open()
    until(lambda: warm.ready == 1)
    process = warm._ready[0]
    answered, ask = Event(), Process.control

    def slow(process: Process, *arguments: Any) -> Any:
        answered.wait(5)
        return ask(process, *arguments)

    monkeypatch.setattr(Process, "control", slow)
    checking = gevent.spawn(warm._check, process)
    until(lambda: warm.ready == 0)
    gevent.spawn_later(0.05, answered.set)
    (taken,) = take(warm, 1)
    checking.join(5)
    until(lambda: not warm.starting)
    assert (warm.ready, living()) == (1, 2)
    taken.close()


def test_starts_that_fail_are_told_and_not_piled_up(spawner: Spawner) -> None:
    spawner.cli.set_mode("never-start")
    pool = spawner.make(2)
    pool.open()
    with pytest.raises(ClaudeUnavailable, match="cannot start today"):
        pool.take(Ticket(), 10.0)
    assert pool.failure
    seen = spawner.count
    gevent.sleep(1.6)  # after a turn has asked, the next start waits a second
    assert 1 <= spawner.count - seen <= 2 * 8
    spawner.cli.set_mode("")
    until(lambda: pool.ready == 2)
    assert pool.failure is None


def test_a_start_that_fails_in_an_unforeseen_way(spawner: Spawner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawner, "cli", None)
    pool = spawner.make(2)
    pool.open()
    with pytest.raises(ClaudeUnavailable):
        pool.take(Ticket(), 5.0)
    gevent.sleep(0.35)
    assert spawner.count <= 3 * 5


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
    until(lambda: pool.failures == 1)
    assert living() == 0


def test_a_closed_pool_serves_nobody(spawner: Spawner) -> None:
    spawner.cli.set_mode("never-answer")
    pool = spawner.make(0, start_timeout=0.5)
    taker = gevent.spawn(pool.take, Ticket(), 10.0)
    until(lambda: living() == 1)
    pool.close()
    taker.join(1)
    assert isinstance(taker.exception, ClaudeUnavailable)
    until(lambda: living() == 0)
    assert spawner.count == 1


def test_a_warm_process_gives_way_to_a_turn_with_its_own(spawner: Spawner) -> None:
    pool, slots = spawner.make(2), Slots(2, 0, 1.0)
    budget = Budget(2, slots, Kept(lambda conversation: None))
    budget.pool = pool
    pool.open()
    until(lambda: pool.ready == 2)
    budget.make_room()
    assert pool.ready == 2
    slots.acquire(Ticket())
    budget.make_room()
    assert pool.ready == 1
    until(lambda: living() == 1)
