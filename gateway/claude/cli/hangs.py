"""Notice a CLI process that hangs, and kill it, so that a turn takes another one.

A process that does not answer may only be slow: on a busy machine it waits for the CPU. So the kernel's figures decide:
a process hangs if it is stopped, or if it has neither run nor waited for the CPU or a disk for a while although
something is due. They are read from `/proc`. Systems without it have only the long limits of time.

For example, this raises ProcessHung within three seconds if the process is stopped:

    with HangWatch(process):
        process.send_requests(requests, timeout=30)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import gevent

from gateway.claude.cli.process import Process, ProcessEnded
from gateway.claude.cli.protocol import CliMessage
from gateway.errors import TurnTimeout

log = logging.getLogger(__name__)

HANG_SECONDS = 1.5  # silence after which a process is looked at
PULSE_SECONDS = 0.75  # the time between two looks
IDLE_SECONDS = 10.0  # `listen` reports silence this often

# The CLI answers this in about 1 ms, also while the model or a tool keeps it waiting.
_PING_ID = "pulse"
_PING = {
    "type": "control_request",
    "request_id": _PING_ID,
    "request": {"subtype": "get_binary_version"},
}

_STOPPED = "Tt"
_WAITING_FOR_MACHINE = "RD"  # for the CPU or a disk


class ProcessHung(ProcessEnded):
    """The CLI was killed because it did nothing, although it had something to do."""

    def __str__(self) -> str:
        return "the CLI hung and was killed"


class Pulse(NamedTuple):
    """The state of a process as a letter of proc(5), and the CPU time that it has used, in ticks."""

    state: str
    ticks: int


def read_pulse(pid: int) -> Pulse | None:
    """Return the pulse of a process; None if the system does not tell it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return Pulse(fields[0], int(fields[11]) + int(fields[12]))


def is_stuck(before: Pulse | None, now: Pulse | None) -> bool:
    """Return True if a process is stopped, or has done nothing between two looks at it."""
    if now is None or before is None:
        return False
    return now.state in _STOPPED or (now == before and now.state not in _WAITING_FOR_MACHINE)


def has_children(pid: int) -> bool:
    """Return True if a process has started another one: it may be a script that runs the CLI."""
    try:
        return bool(Path(f"/proc/{pid}/task/{pid}/children").read_text().strip())
    except OSError:
        return False


class HangWatch:
    """Kills the process if it hangs inside the block. The block raises ProcessHung then.

    It costs two operations on a timer, so follow-up turns can afford it.
    """

    def __init__(self, process: Process, seconds: float | None = None) -> None:
        self._process = process
        self._timer = gevent.get_hub().loop.timer(HANG_SECONDS if seconds is None else seconds)
        self._checker: gevent.Greenlet[[], None] | None = None
        self._has_killed = False

    def __enter__(self) -> None:
        self._timer.start(self._start_check)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.stop()
        self._timer.close()
        if self._checker is not None:
            self._checker.kill(block=False)
            self._checker = None  # its traceback refers to this watch
        if self._has_killed and isinstance(error, ProcessEnded):
            raise ProcessHung(error.returncode, error.stderr) from error

    def _start_check(self) -> None:
        self._checker = gevent.spawn(self._check)

    def _check(self) -> None:
        before = read_pulse(self._process.pid)
        while before is not None and before.state not in _STOPPED:
            gevent.sleep(PULSE_SECONDS)
            now = read_pulse(self._process.pid)
            if is_stuck(before, now) and not has_children(self._process.pid):
                break
            before = now
        if before is not None and self._process.is_alive:
            log.warning("claude[%d] hangs and is killed", self._process.pid)
            self._has_killed = True
            self._process.kill()


def listen(process: Process, silence_seconds: float) -> Iterator[list[CliMessage]]:
    """Yield the messages of a process that has a question to answer, and [] every IDLE_SECONDS of silence.

    Raises TurnTimeout after `silence_seconds` without a message, ProcessHung if the process does not even begin, and
    ProcessEnded.
    """
    heard_at = time.monotonic()
    is_answering = False  # a sign of life was heard at the first silence; none is asked for again
    while True:
        left = silence_seconds - (time.monotonic() - heard_at)
        messages = process.read(min(IDLE_SECONDS if is_answering else HANG_SECONDS, left))
        if not messages and not is_answering:
            replies = _ping(process, left - HANG_SECONDS)
            is_answering = bool(replies)
            messages = [message for message in replies if not _is_pong(message)]
            if not messages and left > HANG_SECONDS:
                continue
        if messages:
            heard_at = time.monotonic()
        elif time.monotonic() - heard_at >= silence_seconds:
            raise TurnTimeout(f"The Claude Code CLI has been silent for {silence_seconds:g} seconds.")
        yield messages


def _ping(process: Process, seconds: float) -> list[CliMessage]:
    """Ask a silent process for a sign of life. Return what it sends, maybe nothing if the machine is very busy."""
    if seconds <= 0:
        return []
    with HangWatch(process, HANG_SECONDS / 3):
        process.send(_PING)
        return process.read(min(IDLE_SECONDS, seconds))


def _is_pong(message: CliMessage) -> bool:
    return message["type"] == "control_response" and message["response"]["request_id"] == _PING_ID
