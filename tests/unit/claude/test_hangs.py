"""Hung processes are told apart from slow ones."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.claude.cli import hangs
from gateway.claude.cli.hangs import HangWatch, ProcessHung, Pulse, is_stuck, listen
from gateway.claude.cli.process import ControlTimeout, Process
from gateway.errors import TurnTimeout
from tests.support.processes import run_until, spawn_scripted_cli
from tests.support.scripted import ScriptedCli

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
    pytest.mark.usefixtures("no_processes_left"),
]

BUSY = "while True: pass"
ASLEEP = "import time; time.sleep(60)"
QUESTION = [{"subtype": "list_models"}]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hangs, "HANG_SECONDS", 0.1)
    monkeypatch.setattr(hangs, "PULSE_SECONDS", 0.2)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Return a function that starts a program in place of the CLI."""
    started: list[Process] = []

    def start_program(*command: str) -> Process:
        started.append(Process(command, {"PATH": "/usr/bin:/bin"}, str(tmp_path)))
        return started[-1]

    yield start_program
    for process in started:
        process.close()


@pytest.mark.parametrize(
    ("before", "now", "stuck"),
    [
        (Pulse("S", 5), Pulse("S", 5), True),
        (Pulse("S", 5), Pulse("S", 6), False),
        (Pulse("R", 5), Pulse("R", 5), False),
        (Pulse("D", 5), Pulse("D", 5), False),
        (Pulse("R", 5), Pulse("T", 6), True),
        (Pulse("S", 5), None, False),
        (None, None, False),
    ],
    ids=["idle", "used CPU", "waits for the CPU", "waits for a disk", "stopped", "gone", "no figures"],
)
def test_process_is_stuck_if_it_does_nothing(before: Pulse | None, now: Pulse | None, stuck: bool) -> None:
    assert is_stuck(before, now) is stuck


def test_idle_process_that_should_answer_is_killed(start: Callable[..., Process]) -> None:
    process = start(sys.executable, "-S", "-c", ASLEEP)
    with pytest.raises(ProcessHung), HangWatch(process):
        process.send_requests(QUESTION, 20)  # type: ignore[arg-type]
    run_until(lambda: process.has_ended)


@pytest.mark.parametrize("kind", ["busy", "script"])
def test_process_that_works_has_all_the_time(start: Callable[..., Process], kind: str) -> None:
    """A script that runs the CLI is idle itself."""
    command = (sys.executable, "-S", "-c", BUSY) if kind == "busy" else ("/bin/sh", "-c", "sleep 60; true")
    process = start(*command)
    with pytest.raises(ControlTimeout), HangWatch(process):
        process.send_requests(QUESTION, 1.0)  # type: ignore[arg-type]
    assert process.is_alive


def test_process_that_answers_the_ping_may_be_silent_until_the_limit(cli: ScriptedCli) -> None:
    process = spawn_scripted_cli(cli)
    heard = listen(process, 1.0)
    with pytest.raises(TurnTimeout):
        list(heard)
    assert process.is_alive
    process.close()


def test_stopped_process_does_not_answer_the_ping(cli: ScriptedCli) -> None:
    process = spawn_scripted_cli(cli)
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(ProcessHung):
        list(listen(process, 20.0))
    process.close()


def test_message_that_was_left_over_is_no_sign_of_life(cli: ScriptedCli) -> None:
    """The CLI may have written something after its last answer, before it was stopped."""
    process = spawn_scripted_cli(cli)
    process.send({"type": "user", "message": {"content": []}, "shouldQuery": False})
    heard = listen(process, 20.0)
    assert [message["type"] for message in next(heard)] == ["result"]
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(ProcessHung):
        list(heard)
    process.close()


def test_process_is_asked_again_until_it_has_given_a_sign_of_life(
    cli: ScriptedCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a very busy machine, the first look may find nothing."""
    monkeypatch.setattr(hangs, "IDLE_SECONDS", 0.5)
    looks = [None]
    look = hangs.read_pulse
    monkeypatch.setattr(hangs, "read_pulse", lambda pid: looks.pop() if looks else look(pid))
    process = spawn_scripted_cli(cli)
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(ProcessHung):
        list(listen(process, 20.0))
    assert looks == []
    process.close()
