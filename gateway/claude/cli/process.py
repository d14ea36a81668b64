"""One CLI process: stream-json lines both ways, control requests, and an end that leaves nothing behind.

There is no reader greenlet: whoever waits for the CLI reads its stdout, so that nothing piles up here for a slow
client and a turn costs no switch between greenlets. Lines have no length limit.
Protocol: `sdk.d.ts` of the npm package `@anthropic-ai/claude-agent-sdk`.
"""

from __future__ import annotations

import contextvars
import itertools
import json
import logging
import os
import signal
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

import gevent
import orjson
from gevent import socket as waiting

from gateway.claude.cli.spawn import Child

log = logging.getLogger(__name__)

Line = dict[str, Any]

CHUNK = 1 << 16
SLICE_SECONDS = (
    1.0  # how long a killed process can keep a reader waiting if somebody else still holds its pipe
)
STDERR_TAIL = 8192
REAP_SECONDS = 5.0


class ProcessEnded(Exception):
    """The CLI closed its output. `returncode` is None while it is not reaped; `stderr` is its last words."""

    def __init__(self, returncode: int | None, stderr: str) -> None:
        super().__init__(f"the CLI ended (exit code {returncode}): {stderr.strip()[-500:] or 'no message'}")
        self.returncode = returncode
        self.stderr = stderr


class ControlRefused(Exception):
    """The CLI answered a control request with an error."""


class ControlTimeout(Exception):
    """The CLI did not answer a control request in time."""


_living: set[Process] = set()


def living() -> int:
    """How many CLI processes of this worker are not yet reaped."""
    return len(_living)


def kill_all() -> None:
    """KILL every CLI process left, at once; for the end of the worker."""
    for process in list(_living):
        process.kill()


def await_programs(seconds: float) -> None:
    """Let killed processes end the programs that they run, for up to so many seconds."""
    deadline = time.monotonic() + seconds
    while any(process.runs_programs and not process.ended for process in _living):
        if time.monotonic() > deadline:
            return
        gevent.sleep(0.01)


class Process:
    """A running CLI.

    `argv`, `env` and `cwd` are handed to the system as they are. `spawned` (monotonic seconds) tells its age.
    `answer` is called with each control request of the CLI's own and returns the inner response at once, or None
    when the answer will be sent later. With `runs_programs` it may have started programs in sessions of their own,
    which it ends itself when it is TERMinated, and which would outlive a KILL. Raises OSError when the system cannot
    start anything.
    """

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: str, *, runs_programs: bool = False
    ) -> None:
        self.runs_programs = runs_programs
        self._stderr: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 (closed in _forget)
        child_in, self._stdin = os.pipe()
        self._stdout, child_out = os.pipe()
        try:
            self._child = Child(argv, env, cwd, (child_in, child_out, self._stderr.fileno()))
        except BaseException:
            self._close_stdin()
            self._close_files()
            raise
        finally:
            os.close(child_in)
            os.close(child_out)
        os.set_blocking(self._stdin, False)
        os.set_blocking(self._stdout, False)
        self.spawned = time.monotonic()
        self.pid: int = self._child.pid
        self._tail = b""
        self._kept: deque[Line] = deque()
        self._numbers = itertools.count(1)
        self._killed = False
        self._closed = False
        self._reported = 0
        self._context = contextvars.copy_context()
        self.answer: Callable[[Line], dict[str, Any] | None] = refuse
        _living.add(self)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return not self._killed and self._child.poll() is None

    @property
    def ended(self) -> bool:
        """Whether the process is no more."""
        return self._child.poll() is not None

    def send(self, *messages: Mapping[str, Any]) -> None:
        """Write messages, a line each. Waits while the pipe is full; raises ProcessEnded when it is broken."""
        data = memoryview(b"".join(_dump(message) + b"\n" for message in messages))
        while data:
            try:
                data = data[os.write(self._stdin, data) :]
            except BlockingIOError:
                self._await(waiting.wait_write, self._stdin, None)
            except OSError:
                raise self._ended() from None
            if self._killed:
                raise self._ended()

    def read(self, timeout: float | None = None) -> list[Line]:
        """All messages that have come, waiting up to `timeout` seconds for the first; [] when none came.

        Lines that are no JSON objects with a type are skipped. Raises ProcessEnded at the end of the output.
        """
        if self._kept:
            kept, self._kept = list(self._kept), deque()
            return kept
        return self._read(None if timeout is None else time.monotonic() + timeout)

    def control(self, requests: Sequence[Mapping[str, Any]], timeout: float) -> list[dict[str, Any]]:
        """Send control requests together and return their responses in order.

        Other messages that come meanwhile are kept for `read`. Raises ControlRefused, ControlTimeout (`timeout`
        is in seconds) or ProcessEnded.
        """
        ids = [f"g{next(self._numbers)}" for _ in requests]
        self.send(
            *(
                {"type": "control_request", "request_id": number, "request": request}
                for number, request in zip(ids, requests, strict=True)
            )
        )
        deadline = time.monotonic() + timeout
        answers: dict[str, Line] = {}
        while len(answers) < len(ids):
            for line in self._read(deadline):
                if line.get("type") == "control_response":
                    answers[line["response"]["request_id"]] = line["response"]
                else:
                    self._kept.append(line)
            if time.monotonic() >= deadline and len(answers) < len(ids):
                raise ControlTimeout(f"no answer to {requests[len(answers)].get('subtype')} in {timeout} s")
        return [_success(answers[number]) for number in ids]

    def kill(self) -> None:
        """KILL the process and its group; a reader waiting for it wakes with ProcessEnded. May be repeated.

        One that runs programs is TERMinated, and KILLed by `close` if it does not end.
        """
        if not self._killed:
            self._killed = True
            self._child.signal(signal.SIGTERM if self.runs_programs else signal.SIGKILL)

    def close(self, grace: float = 0.0) -> None:
        """End the process and free what it holds: end of input, TERM after `grace` seconds, then KILL.

        With no grace it is killed at once (right for a turn that was cut off). May be repeated.
        """
        if self._closed:
            return
        self._closed = True
        self._close_stdin()
        if not (grace and not self._killed and (self._child.wait(grace) or self._terminate())):
            self.kill()
            self._child.wait(REAP_SECONDS)
        self._killed = True
        self._child.signal(signal.SIGKILL)  # whoever of the group is left
        self._child.wait(REAP_SECONDS)
        self._forget()

    def serve(self) -> None:
        """From now on the CLI works for the present context: what it says on stderr is logged in that."""
        self.report()
        self._context = contextvars.copy_context()

    def report(self) -> None:
        """Log what the CLI has written to stderr since the last time."""
        words = self._stderr_from(self._reported)
        if words:
            self._reported += len(words)
            said = words[-STDERR_TAIL:].decode("utf-8", "replace").strip()
            self._context.copy().run(log.warning, "claude[%d] said on stderr: %s", self.pid, said)

    def last_words(self) -> str:
        """The end of what the CLI wrote to stderr."""
        return self._stderr_from(0)[-STDERR_TAIL:].decode("utf-8", "replace")

    def _stderr_from(self, start: int) -> bytes:
        """Read without a seek: the CLI writes where this file stands."""
        if self._stderr.closed:
            return b""
        number = self._stderr.fileno()
        size = os.fstat(number).st_size
        return os.pread(number, size - start, start)

    def _read(self, deadline: float | None) -> list[Line]:
        while True:
            chunk = self._chunk(deadline)
            if chunk is None:
                return []
            head, newline, tail = chunk.rpartition(b"\n")
            if not newline:
                self._tail += tail
                continue
            head, self._tail = self._tail + head, tail
            lines = [line for raw in head.split(b"\n") if (line := _parse(raw)) is not None]
            if lines := [line for line in lines if not self._answered(line)]:
                return lines

    def _answered(self, line: Line) -> bool:
        if line.get("type") != "control_request":
            return False
        response = self.answer(line)
        if response is not None:
            self.send(
                {"type": "control_response", "response": {**response, "request_id": line["request_id"]}}
            )
        return True

    def _chunk(self, deadline: float | None) -> bytes | None:
        while not self._closed:
            try:
                chunk = os.read(self._stdout, CHUNK)
            except BlockingIOError:
                if not self._await(waiting.wait_read, self._stdout, deadline):
                    return None
                continue
            if chunk and not self._killed:
                return chunk
            break
        raise self._ended()

    def _await(self, wait: Callable[..., Any], descriptor: int, deadline: float | None) -> bool:
        """Wait until the descriptor is ready, in slices; False when the deadline came first."""
        while not self._killed:
            left = SLICE_SECONDS if deadline is None else min(SLICE_SECONDS, deadline - time.monotonic())
            if left <= 0:
                return False
            try:
                wait(descriptor, timeout=left, timeout_exc=TimeoutError())
            except TimeoutError:
                continue
            return True
        raise self._ended()

    def _ended(self) -> ProcessEnded:
        self._child.wait(0.2)
        return ProcessEnded(self._child.poll(), self.last_words())

    def _terminate(self) -> bool:
        self._child.signal(signal.SIGTERM)
        return self._child.wait(0.5)

    def _forget(self) -> None:
        _living.discard(self)
        self.report()
        self._close_files()

    def _close_stdin(self) -> None:
        os.close(self._stdin)
        self._stdin = -1  # the number may be somebody else's from here on

    def _close_files(self) -> None:
        self._stderr.close()
        os.close(self._stdout)
        self._stdout = -1


def refuse(line: Line) -> dict[str, Any]:
    """The answer to a control request that nobody expected: an error, so that the CLI does not wait."""
    return {"subtype": "error", "error": f"{line['request'].get('subtype')} is not supported here"}


def _parse(raw: bytes) -> Line | None:
    if not raw.startswith(b"{"):
        return None
    try:
        line: Line = orjson.loads(raw)
    except orjson.JSONDecodeError:
        log.warning("skipped a line of the CLI that is no JSON, %d bytes long", len(raw))
        return None
    if not isinstance(line.get("type"), str):
        log.warning("skipped a line of the CLI that is no message, %d bytes long", len(raw))
        return None
    return line


def _dump(message: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(message)
    except orjson.JSONEncodeError:  # half of a surrogate pair: JSON can only escape it
        return json.dumps(message).encode()


def _success(response: Line) -> dict[str, Any]:
    if response.get("subtype") != "success":
        raise ControlRefused(str(response.get("error", "no reason given")))
    return response.get("response") or {}


def settle(processes: Sequence[Process], grace: float) -> None:
    """Close several processes side by side."""
    gevent.joinall([gevent.spawn(process.close, grace) for process in processes])
