"""One CLI process: stream-json messages both ways, control requests, and an end that leaves nothing behind.

There is no reader greenlet. The greenlet that waits for the CLI reads its stdout, so nothing piles up in memory for a
slow client and a turn costs no switch between greenlets. A line may have up to MAX_LINE_BYTES.

For example, this asks a process for its models:

    process = Process(["claude", *CHAT_ARGUMENTS], environ, "/tmp")
    (result,) = process.send_requests([{"subtype": "list_models"}], timeout=30)
    process.close(grace=1.0)
"""

from __future__ import annotations

import contextvars
import itertools
import logging
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import gevent
from gevent import socket as waiting

from gateway.accounts.account import DEFAULT
from gateway.claude.cli.lines import UNEXPECTED, explain_unexpected, parse_line
from gateway.claude.cli.protocol import (
    CliControlRequestMessage,
    CliMessage,
    ControlRequest,
    ControlResponse,
    ControlResult,
)
from gateway.claude.cli.spawn import REAP_SECONDS, Child, describe_exit, find_signal
from gateway.claude.cli.stderr_file import StderrFile
from gateway.lenient_json import dumps

log = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 16
MAX_LINE_BYTES = (
    64 << 20
)  # far above a prompt or an answer; a line is held in memory until its end has arrived
YIELD_CHUNKS = 16  # a CLI that writes faster than it is read must not stop other greenlets
# A grandchild may hold the pipe of a killed process open, which then never becomes readable. So waits are cut into
# slices, and this is the longest time that the reader of such a process waits.
SLICE_SECONDS = 1.0


class ProcessEnded(Exception):
    """The CLI closed its output.

    `returncode` is None if the process is not reaped yet. `stderr` is the end of what it wrote there.
    """

    def __init__(self, returncode: int | None, stderr: str) -> None:
        super().__init__(
            f"the CLI ended ({describe_exit(returncode)}): {stderr.strip()[-500:] or 'no message'}"
        )
        self.returncode = returncode
        self.stderr = stderr

    @property
    def was_killed(self) -> bool:
        """True if KILL ended it: for example by the kernel, when memory ran out."""
        return find_signal(self.returncode) == signal.SIGKILL


class ControlRefused(Exception):
    """The CLI answered a control request with an error."""


class ControlTimeout(Exception):
    """The CLI did not answer a control request in time."""


#: The errors of a process that did not start.
StartFailure = (OSError, ProcessEnded, ControlRefused, ControlTimeout)

_living: set[Process] = set()


def count_living() -> int:
    """Return the number of this worker's CLI processes that are not reaped yet."""
    return len(_living)


def list_living_pids() -> list[int]:
    """Return the process ids of this worker's CLI processes."""
    return [process.pid for process in _living]


def kill_all() -> None:
    """Kill all CLI processes at once. The worker calls this when it ends."""
    for process in list(_living):
        process.kill()


def wait_for_programs(seconds: float) -> None:
    """Give killed processes up to `seconds` to end the programs that they have started."""
    deadline = time.monotonic() + seconds
    while any(process.runs_programs and not process.has_ended for process in _living):
        if time.monotonic() > deadline:
            return
        gevent.sleep(0.01)


class Process:
    """A running CLI.

    The life of a process, and who calls what when:

    1. `Launcher` constructs it, for the warm pool or for an agent's turn.
    2. `WarmPool` sends it a first control request. Once it has answered, it is warm.
    3. `Run` takes it and calls `adopt_context`. From then on `Conversation` is the only caller of `send`, `read` and
       `send_requests`. These three wait in the calling greenlet.
    4. Any greenlet may call `kill`, which wakes a greenlet that waits in one of the three with ProcessEnded.
    5. The owner calls `close`, always. `WarmPool` closes idle processes and `Fleet` the others.

    `argv`, `env` and `cwd` go to the system unchanged. `account` names the login that `env` selects. `started_at` is in
    monotonic seconds. `answer_request` is called for each control request of the CLI. It returns the response at once,
    or None if the response will be sent later; `read` returns such a request too.

    With `runs_programs` the CLI may start programs in sessions of their own. It ends those when it gets TERM, but they
    would outlive it after a KILL.

    Raises OSError if the system cannot start a process.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        *,
        account: str = DEFAULT,
        runs_programs: bool = False,
    ) -> None:
        self.account = account
        self.runs_programs = runs_programs
        self._stderr = StderrFile()
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
        self.started_at = time.monotonic()
        self.pid: int = self._child.pid
        self._partial_line: list[bytes] = []
        self._partial_bytes = 0
        self._chunks_in_a_row = 0  # that were read without a wait
        self._unread: deque[CliMessage] = deque()
        self._request_numbers = itertools.count(1)
        self._is_killed = False
        self._is_closed = False
        self.is_being_read = False  # by a greenlet that waits for messages
        self._context = contextvars.Context()
        self.answer_request: Callable[[CliControlRequestMessage], ControlResponse | None] = refuse_request
        _living.add(self)

    @property
    def is_alive(self) -> bool:
        """True while the process runs and was not killed."""
        return not self._is_killed and self._child.poll() is None

    @property
    def has_ended(self) -> bool:
        """True once the process no longer exists."""
        return self._child.poll() is not None

    @property
    def returncode(self) -> int | None:
        """The exit code, or minus the number of the signal that ended the process. None while it runs."""
        return self._child.poll()

    def send(self, *messages: Mapping[str, object]) -> None:
        """Write messages, one per line. Wait while the pipe is full. Raises ProcessEnded if the pipe is broken."""
        data = memoryview(b"".join(dumps(message) + b"\n" for message in messages))
        while data:
            try:
                data = data[os.write(self._stdin, data) :]
            except BlockingIOError:
                self._wait_ready(waiting.wait_write, self._stdin, None)
            except OSError:
                raise self._ended() from None
            if self._is_killed:
                raise self._ended()

    def read(self, timeout: float | None = None) -> list[CliMessage]:
        """Return all messages that have arrived. Wait up to `timeout` seconds for the first; [] if none came.

        Lines that are not JSON objects with a type are skipped. Raises ProcessEnded at the end of the output.
        """
        if self._unread:
            unread, self._unread = list(self._unread), deque()
            return unread
        return self._read_messages(None if timeout is None else time.monotonic() + timeout)

    def send_requests(self, requests: Sequence[ControlRequest], timeout: float) -> list[ControlResult]:
        """Send control requests together and return their results in the same order.

        Other messages that arrive in the meantime stay for `read`. `timeout` is in seconds. Raises ControlRefused,
        ControlTimeout or ProcessEnded.
        """
        ids = [f"g{next(self._request_numbers)}" for _ in requests]
        self.send(
            *(
                {"type": "control_request", "request_id": request_id, "request": request}
                for request_id, request in zip(ids, requests, strict=True)
            )
        )
        deadline = time.monotonic() + timeout
        responses: dict[str, ControlResponse] = {}
        while len(responses) < len(ids):
            for message in self._read_messages(deadline):
                if message["type"] == "control_response":
                    responses[message["response"]["request_id"]] = message["response"]
                else:
                    self._unread.append(message)
            if time.monotonic() >= deadline and len(responses) < len(ids):
                raise ControlTimeout(f"no answer to {requests[len(responses)]['subtype']} in {timeout} s")
        return [_unwrap(responses[request_id]) for request_id in ids]

    def lower_priority(self, niceness: int) -> None:
        """Let other programs have the CPU first (19: all of them). Call this right after the start."""
        self._child.lower_priority(niceness)

    def kill(self) -> None:
        """Kill the process and its group. A greenlet that waits for it gets ProcessEnded. May be repeated.

        A process that runs programs gets TERM instead. `close` sends KILL if it does not end.
        """
        if not self._is_killed:
            self._is_killed = True
            self._child.send_signal(signal.SIGTERM if self.runs_programs else signal.SIGKILL)

    def close(self, grace: float = 0.0) -> None:
        """End the process and free its resources: close its input, send TERM after `grace` seconds, then KILL.

        Without grace it is killed at once, which is right for a turn that was cut off. May be repeated.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._close_stdin()
        try:
            if not (grace and not self._is_killed and (self._child.wait(grace) or self._terminate())):
                self.kill()
                self._child.wait(REAP_SECONDS)
        finally:  # also if the greenlet that closes the process is killed
            self._is_killed = True
            self._child.send_signal(signal.SIGKILL)  # the rest of its group
            self._child.wait(REAP_SECONDS)
            _living.discard(self)
            self.log_stderr()
            self._close_files()

    def adopt_context(self) -> None:
        """Use the caller's context from now on: log lines about stderr get its request id."""
        self.log_stderr()
        self._context = contextvars.copy_context()

    def forget_context(self) -> None:
        """Release the context, which may hold a large request."""
        self._context = contextvars.Context()

    def log_stderr(self) -> None:
        """Log what the CLI has written to stderr since the last call."""
        if text := self._stderr.read_new().strip():
            self._context.copy().run(log.warning, "claude[%d] wrote to stderr: %s", self.pid, text)

    def unread(self, messages: Sequence[CliMessage]) -> None:
        """Let the next `read` return these messages first."""
        self._unread.extendleft(reversed(messages))

    def _read_messages(self, deadline: float | None) -> list[CliMessage]:
        self.is_being_read = True
        try:
            return self._read_lines(deadline)
        finally:
            self.is_being_read = False

    def _read_lines(self, deadline: float | None) -> list[CliMessage]:
        while True:
            chunk = self._read_chunk(deadline)
            if chunk is None:
                return []
            head, newline, tail = chunk.rpartition(b"\n")
            if newline:
                head = b"".join((*self._partial_line, head))
                self._partial_line, self._partial_bytes = [tail], len(tail)
                parsed = [message for line in head.split(b"\n") if (message := parse_line(line)) is not None]
                if messages := [message for message in parsed if not self._is_answered(message)]:
                    return messages
            else:
                self._add_to_line(tail)
            if deadline is not None and time.monotonic() >= deadline:  # it writes, but no messages
                return []

    def _add_to_line(self, chunk: bytes) -> None:
        """Keep a chunk of a line that continues. Kill the process if the line gets too long. Raises ProcessEnded.

        The chunks are joined once: adding each to a text took 1.3 s for a line of 20 MB.
        """
        self._partial_line.append(chunk)
        self._partial_bytes += len(chunk)
        if self._partial_bytes > MAX_LINE_BYTES:
            log.error("claude[%d] wrote a line of more than %d bytes and is killed", self.pid, MAX_LINE_BYTES)
            self._partial_line = []
            self.kill()
            raise self._ended()

    def _is_answered(self, message: CliMessage) -> bool:
        """Answer the message if it is a control request that can be answered now."""
        if message["type"] != "control_request":
            return False
        try:
            response = self.answer_request(message)
            if response is None:
                return False
            response["request_id"] = message["request_id"]
        except UNEXPECTED as error:
            raise explain_unexpected(message, error) from error
        self.send({"type": "control_response", "response": response})
        return True

    def _read_chunk(self, deadline: float | None) -> bytes | None:
        while not self._is_closed:
            try:
                chunk = os.read(self._stdout, CHUNK_BYTES)
            except BlockingIOError:
                self._chunks_in_a_row = 0
                if not self._wait_ready(waiting.wait_read, self._stdout, deadline):
                    return None
                continue
            if chunk and not self._is_killed:
                self._chunks_in_a_row += 1
                if self._chunks_in_a_row % YIELD_CHUNKS == 0:
                    gevent.sleep(0)
                return chunk
            break
        raise self._ended()

    def _wait_ready(self, wait: Callable[..., Any], descriptor: int, deadline: float | None) -> bool:
        """Wait until the descriptor is ready. Return False if the deadline came first."""
        while not self._is_killed:
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
        return ProcessEnded(self._child.poll(), self._stderr.read_tail())

    def _terminate(self) -> bool:
        self._child.send_signal(signal.SIGTERM)
        return self._child.wait(0.5)

    def _close_stdin(self) -> None:
        os.close(self._stdin)
        self._stdin = -1  # the system may reuse the number

    def _close_files(self) -> None:
        self._stderr.close()
        os.close(self._stdout)
        self._stdout = -1


def refuse_request(message: CliControlRequestMessage) -> ControlResponse:
    """Return an error for a control request that the gateway does not know, so that the CLI does not wait."""
    return {"subtype": "error", "error": f"{message['request'].get('subtype')} is not supported"}


def _unwrap(response: ControlResponse) -> ControlResult:
    if response.get("subtype") != "success":
        raise ControlRefused(str(response.get("error", "no reason given")))
    return cast(ControlResult, response.get("response") or {})
