"""One process: messages in both directions, control requests, the end, and the set-up of a conversation."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

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
    wait_for_programs,
)
from gateway.claude.cli.spawn import CAN_TELL_END, Child, any_ended
from gateway.claude.cli.tuning import tune
from gateway.errors import UpstreamError
from gateway.turn import Message, Turn
from tests.support.processes import run_until, spawn_scripted_cli
from tests.support.scripted import ScriptedCli
from tests.support.sockets import are_reaped

# From Python 3.12 on, a fork warns about the stand-in's threads, which other tests may run in this process.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
    pytest.mark.usefixtures("no_processes_left"),
]

ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('{"type": "up"}', flush=True)
time.sleep(60)
"""
ENDS_AT_TERM = 'import time\nprint(\'{"type": "up"}\', flush=True)\ntime.sleep(60)'


@pytest.fixture
def python(tmp_path: Path) -> Iterator[Callable[[str], Process]]:
    """Return a function that starts a Python program in place of the CLI."""
    started: list[Process] = []

    def start(program: str) -> Process:
        started.append(Process([sys.executable, "-S", "-E", "-c", program], {}, str(tmp_path)))
        return started[-1]

    yield start
    for process in started:
        process.close()


def test_messages_pass_in_both_directions(python: Callable[[str], Process]) -> None:
    process = python(ECHO)
    process.send({"type": "one", "text": "Grüße 🌍"}, {"type": "two"})
    lines: list[Any] = []
    while len(lines) < 2:
        lines += process.read(20)
    assert lines == [{"type": "one", "text": "Grüße 🌍"}, {"type": "two"}]


def test_half_a_surrogate_pair_passes_in_both_directions(python: Callable[[str], Process]) -> None:
    process = python(
        "import sys\nraw = sys.stdin.readline()\nprint('{\"type\": %s}' % ascii(raw).count('ud83d'))"
    )
    process.send({"type": "one", "text": "\ud83d"})
    with pytest.raises(ProcessEnded):  # the type is a number, so the line is skipped
        process.read(20)


def test_read_waits_no_longer_than_its_timeout(python: Callable[[str], Process]) -> None:
    process = python(ECHO)
    asked = time.monotonic()
    assert process.read(0.05) == []
    assert 0.04 < time.monotonic() - asked < 10


def test_partial_line_is_completed_by_the_next_read(python: Callable[[str], Process]) -> None:
    process = python(
        "import sys, time\nout = sys.stdout\nout.write('{\"type\":'); out.flush()\n"
        "sys.stdin.readline()\nprint('\"whole\"}', flush=True)\nsys.stdin.readline()"
    )
    assert process.read(0.3) == []
    process.send({"type": "go on"})
    assert process.read(20) == [{"type": "whole"}]


def test_other_greenlets_run_during_a_slow_write(python: Callable[[str], Process]) -> None:
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


def test_long_line_costs_time_in_proportion_to_its_length(python: Callable[[str], Process]) -> None:
    """Joining the pieces one by one took 3 s for this line."""
    process = python('import sys\nprint(\'{"type": "%s"}\' % ("x" * 30_000_000), flush=True)')
    begun = time.thread_time()
    assert [len(message["type"]) for message in process.read(60)] == [30_000_000]
    assert time.thread_time() - begun < 1


def test_process_that_writes_a_line_without_end_is_killed(
    python: Callable[[str], Process], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.claude.cli.process.MAX_LINE_BYTES", 4_000_000)
    process = python("import sys\nwhile True: sys.stdout.write('x' * 65_536)")
    with pytest.raises(ProcessEnded):
        process.read(60)
    assert not process.is_alive
    assert "wrote a line of more than 4000000 bytes and is killed" in caplog.text


def test_flood_of_lines_that_are_no_messages_lets_others_run(python: Callable[[str], Process]) -> None:
    process = python("import sys\nwhile True: sys.stdout.write('no message\\n' * 10_000)")
    stopped = gevent.spawn_later(0.1, process.kill)
    with pytest.raises(ProcessEnded):
        process.read(30)
    assert stopped.ready()


def test_read_ends_in_time_although_other_lines_arrive(python: Callable[[str], Process]) -> None:
    process = python("import sys\nwhile True: sys.stdout.write('no message\\n' * 10_000)")
    begun = time.monotonic()
    assert process.read(0.1) == []
    assert time.monotonic() - begun < 10


def test_send_to_an_ended_process_raises_its_last_words(python: Callable[[str], Process]) -> None:
    process = python("import sys\nsys.exit('my last words')")
    process._child.wait(20)
    with pytest.raises(ProcessEnded) as caught:
        process.send({"type": "too late"})
    assert caught.value.returncode == 1
    assert "my last words" in str(caught.value)


def test_kill_wakes_readers_and_writers(python: Callable[[str], Process]) -> None:
    silent, deaf = python("import time\ntime.sleep(60)"), python("import time\ntime.sleep(60)")
    reader = gevent.spawn(silent.read)
    writer = gevent.spawn(deaf.send, {"type": "x" * 5_000_000})
    gevent.sleep(0.05)
    silent.kill()
    deaf.kill()
    for greenlet in (reader, writer):
        greenlet.join(10)
        assert isinstance(greenlet.exception, ProcessEnded)
    assert not silent.is_alive


def test_kill_wakes_the_reader_even_if_a_grandchild_holds_the_pipe(python: Callable[[str], Process]) -> None:
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
    first, second = process.send_requests([{"subtype": "list_models"}, {"subtype": "initialize"}], 20)
    assert first == second
    assert first["models"] == []
    process.close()


def test_control_request_without_a_response_times_out(python: Callable[[str], Process]) -> None:
    process = python("import time\ntime.sleep(60)")
    with pytest.raises(ControlTimeout, match="initialize"):
        process.send_requests([{"subtype": "initialize"}], 0.05)


def test_other_messages_stay_readable_after_a_refused_control_request(
    python: Callable[[str], Process],
) -> None:
    process = python(
        'import json, sys\nasked = json.loads(sys.stdin.readline())\nprint(\'{"type": "other"}\')\n'
        "no = {'subtype': 'error', 'request_id': asked['request_id'], 'error': 'not today'}\n"
        "print(json.dumps({'type': 'control_response', 'response': no}), flush=True)\nsys.stdin.readline()"
    )
    with pytest.raises(ControlRefused, match="not today"):
        process.send_requests([{"subtype": "initialize"}], 20)
    assert process.read(0) == [{"type": "other"}]


@pytest.mark.parametrize(
    ("program", "grace", "at_least", "code"),
    [
        pytest.param(ECHO, 20.0, 0.0, 0, id="ends-with-its-input"),
        pytest.param(ENDS_AT_TERM, 0.5, 0.5, -signal.SIGTERM, id="ends-at-term"),
        pytest.param(STUBBORN, 0.5, 0.9, -signal.SIGKILL, id="has-to-be-killed"),
    ],
)
def test_close_escalates_from_end_of_input_to_term_to_kill(
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
    process.close()  # a second call does nothing


def test_close_without_grace_sends_nothing_but_kill(
    python: Callable[[str], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    send_signal = Child.send_signal

    def record(child: Child, number: int) -> None:
        sent.append(number)
        send_signal(child, number)

    monkeypatch.setattr(Child, "send_signal", record)
    process = python(STUBBORN)
    assert process.read(20)
    process.close()
    assert set(sent) == {signal.SIGKILL}
    assert are_reaped(process.pid)


def test_close_ends_the_process_even_if_its_greenlet_is_killed(python: Callable[[str], Process]) -> None:
    process = python(STUBBORN)
    assert process.read(20)
    closer = gevent.spawn(process.close, 60.0)
    gevent.sleep(0.05)
    closer.kill()
    assert are_reaped(process.pid)
    assert process.has_ended


def test_close_ends_the_children_of_the_process(python: Callable[[str], Process]) -> None:
    process = python(
        "import os, time\nchild = os.fork()\n"
        'print(\'{"type": "child", "pid": %d}\' % os.getpid(), flush=True) if not child else None\n'
        "time.sleep(60)"
    )
    (line,) = process.read(20)
    process.close()
    run_until(lambda: are_reaped(cast(Any, line)["pid"]) or _is_zombie(cast(Any, line)["pid"]))


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


def test_fifty_processes_leave_no_open_descriptors(python: Callable[[str], Process]) -> None:
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


def test_missing_program_is_named_in_the_error(python: Callable[[str], Process]) -> None:
    process = Process(["/no-such-program"], {}, "/")
    with pytest.raises(ProcessEnded, match="no-such-program"):
        process.read(20)
    process.close()


# Set-up of a conversation


def test_set_up_without_a_response_fails(
    python: Callable[[str], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "CONTROL_TIMEOUT_SECONDS", 0.05)
    question = Message("user", ({"type": "text", "text": "hi"},))
    turn = Turn((question,))
    silent = Conversation(python("import time\ntime.sleep(60)"), turn, tool_seconds=1)
    with pytest.raises(UpstreamError):
        silent.set_up(tune(turn, ModelCatalog().resolve("haiku"), is_seeded=True))
    with pytest.raises(UpstreamError):
        silent.seed([question])


RUNS_A_PROGRAM = """
import signal, subprocess, sys
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
signal.signal(signal.SIGTERM, lambda *_: (child.kill(), child.wait(), sys.exit()))
print('{"type": "up", "pid": %d}' % child.pid, flush=True)
signal.pause()
"""


def test_killed_process_can_end_its_programs_first(tmp_path: Path) -> None:
    process = Process([sys.executable, "-c", RUNS_A_PROGRAM], {}, str(tmp_path), runs_programs=True)
    (up,) = process.read(20)
    process.kill()
    with pytest.raises(ProcessEnded):
        process.read(5)
    wait_for_programs(10)
    assert process.has_ended
    run_until(lambda: are_reaped(cast(Any, up)["pid"]))
    process.close()


@pytest.mark.skipif(not CAN_TELL_END, reason="this system does not tell when a process ends")
def test_end_of_a_process_is_told(cli: ScriptedCli) -> None:
    any_ended.clear()
    process = spawn_scripted_cli(cli)
    process.kill()
    assert any_ended.wait(10)
    process.close()
