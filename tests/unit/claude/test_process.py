"""A process: messages both ways, control requests, its end, and the set-up of a conversation in it."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from gateway.claude.catalog import ModelCatalog
from gateway.claude.cli import conversation
from gateway.claude.cli.conversation import Conversation
from gateway.claude.cli.process import (
    ControlRefused,
    ControlTimeout,
    Process,
    ProcessEnded,
    await_programs,
    living,
)
from gateway.claude.cli.tuning import tune
from gateway.errors import UpstreamError
from gateway.turn import Message, Turn
from tests.support.processes import run_until, spawn_scripted_cli
from tests.support.scripted import ScriptedCli
from tests.support.sockets import are_reaped

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


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Each test ends all its processes."""
    assert living() == 0
    yield
    run_until(lambda: living() == 0)


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


def test_messages_go_both_ways(python: Callable[[str], Process]) -> None:
    process = python(ECHO)
    process.send({"type": "one", "text": "Grüße 🌍"}, {"type": "two"})
    lines: list[Any] = []
    while len(lines) < 2:
        lines += process.read(20)
    assert lines == [{"type": "one", "text": "Grüße 🌍"}, {"type": "two"}]


def test_half_a_surrogate_pair_goes_both_ways(python: Callable[[str], Process]) -> None:
    process = python(
        "import sys\nraw = sys.stdin.readline()\nprint('{\"type\": %s}' % ascii(raw).count('ud83d'))"
    )
    process.send({"type": "one", "text": "\ud83d"})
    with pytest.raises(ProcessEnded):  # a number is no type: the line is skipped
        process.read(20)


def test_reading_waits_no_longer_than_it_is_told(python: Callable[[str], Process]) -> None:
    process = python(ECHO)
    asked = time.monotonic()
    assert process.read(0.05) == []
    assert 0.04 < time.monotonic() - asked < 10


def test_half_a_line_is_kept_for_the_next_read(python: Callable[[str], Process]) -> None:
    process = python(
        "import sys, time\nout = sys.stdout\nout.write('{\"type\":'); out.flush()\n"
        "sys.stdin.readline()\nprint('\"whole\"}', flush=True)\nsys.stdin.readline()"
    )
    assert process.read(0.3) == []
    process.send({"type": "go on"})
    assert process.read(20) == [{"type": "whole"}]


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
    assert process.read(20) == [{"type": str(5_000_000 + len('{"type":""}\n'))}]


def test_sending_to_who_has_ended(python: Callable[[str], Process]) -> None:
    process = python("import sys\nsys.exit('my last words')")
    process._child.wait(20)
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
        greenlet.join(10)
        assert isinstance(greenlet.exception, ProcessEnded)
    assert not silent.alive


def test_a_pipe_that_a_grandchild_holds_does_not_hold_the_reader(python: Callable[[str], Process]) -> None:
    process = python(
        'import os, time\nif os.fork() == 0: os.setsid()\nprint(\'{"type": "up"}\', flush=True)\ntime.sleep(12)'
    )
    assert process.read(20)
    reader = gevent.spawn(process.read)
    gevent.sleep(0.05)
    process.kill()
    reader.join(9)
    assert reader.ready()


def test_control_requests_are_answered_in_order(tmp_path: Path) -> None:
    process = spawn_scripted_cli(ScriptedCli(tmp_path))
    first, second = process.control([{"subtype": "list_models"}, {"subtype": "initialize"}], 20)
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
        process.control([{"subtype": "initialize"}], 20)
    assert process.read(0) == [{"type": "other"}]


@pytest.mark.parametrize(
    ("program", "grace", "at_least", "code"),
    [
        pytest.param(ECHO, 20.0, 0.0, 0, id="ends-with-its-input"),
        pytest.param(ENDS_AT_TERM, 0.5, 0.5, -signal.SIGTERM, id="ends-at-term"),
        pytest.param(STUBBORN, 0.5, 0.9, -signal.SIGKILL, id="has-to-be-killed"),
    ],
)
def test_closing_gets_stricter(
    python: Callable[[str], Process], program: str, grace: float, at_least: float, code: int
) -> None:
    process = python(program)
    process.send({"type": "up"})
    assert process.read(20)
    asked = time.monotonic()
    process.close(grace=grace)
    assert at_least <= time.monotonic() - asked < 15
    assert process._child.returncode == code
    assert are_reaped(process.pid)
    process.close()  # may be repeated


def test_closing_without_grace_kills_at_once(python: Callable[[str], Process]) -> None:
    """The quickest of some, as the machine may be busy with other tests."""
    seconds = []
    for _ in range(5):
        process = python(STUBBORN)
        assert process.read(20)
        asked = time.monotonic()
        process.close()
        seconds.append(time.monotonic() - asked)
        assert are_reaped(process.pid)
        if seconds[-1] < 0.4:
            return
    raise AssertionError(f"seconds to the end: {seconds}")


def test_what_the_process_has_started_ends_with_it(python: Callable[[str], Process]) -> None:
    process = python(
        "import os, time\nchild = os.fork()\n"
        'print(\'{"type": "child", "pid": %d}\' % os.getpid(), flush=True) if not child else None\n'
        "time.sleep(60)"
    )
    (line,) = process.read(20)
    process.close()
    run_until(lambda: are_reaped(line["pid"]) or _is_zombie(line["pid"]))


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def start_and_read(path: str) -> None:
    process = Process([path], {}, "/")
    try:
        process.read(20)
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
                process.read(20)
        process.close(grace=float(number % 3))
    with pytest.raises((OSError, ProcessEnded)):
        start_and_read("/no-such-program")
    assert descriptors() == before


def test_a_missing_program_says_so(python: Callable[[str], Process]) -> None:
    process = Process(["/no-such-program"], {}, "/")
    with pytest.raises(ProcessEnded, match="no-such-program"):
        process.read(20)
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
        silent.set_up(tune(turn, ModelCatalog().resolve("haiku"), seeded=True))
    with pytest.raises(UpstreamError):
        silent.seed([question])


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
    run_until(lambda: are_reaped(up["pid"]))
    process.close()
