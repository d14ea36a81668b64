"""Start a program without stopping all greenlets, and notice its end.

gevent's Popen forks, which takes about 10 ms during which nothing else runs. posix_spawn takes a tenth of that.
"""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import gevent
from gevent.event import Event

# posix_spawn cannot set a working directory, so a shell changes into it and then becomes the program.
_IN_FOLDER = ("/bin/sh", "-c", 'cd "$0" && exec "$@"')

# A worker that is killed cannot end its children. On Linux the kernel does it, if setpriv (util-linux) asks for it.
_setpriv = shutil.which("setpriv")
_DIE_WITH_PARENT = (_setpriv, "--pdeathsig", "KILL", "--") if _setpriv else ()

# A shell reports the signal that ended a program as an exit code: the number of the signal plus this.
_SHELL_SIGNAL_OFFSET = 128

# A descriptor of a process becomes readable when the process ends. Only Linux has them.
CAN_TELL_END = hasattr(os, "pidfd_open")
_READABLE = 1  # for gevent's loop
REAP_SECONDS = 5.0

#: Set when a program has ended, if the system can tell. Who waits for it clears it.
any_ended = Event()

# Python ignores these signals, and a program expects the default.
_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)


class Child:
    """A program in its own session, with the given descriptors as its stdin, stdout and stderr.

    A program that cannot be run looks like one that ends at once with exit code 126 or 127. Raises OSError if the
    system cannot start a process.
    """

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: str, descriptors: tuple[int, int, int]
    ) -> None:
        self.returncode: int | None = None
        self.pid = os.posix_spawn(
            _IN_FOLDER[0],
            [*_IN_FOLDER, cwd, *_DIE_WITH_PARENT, *argv],
            env,
            file_actions=[(os.POSIX_SPAWN_DUP2, own, number) for number, own in enumerate(descriptors)],
            setsid=True,
            setsigdef=_DEFAULT_SIGNALS,
        )
        self._descriptor = -1
        if CAN_TELL_END:
            self._watch_end()

    def poll(self) -> int | None:
        """Reap the program if it has ended. Return its exit code, or minus the number of the signal that ended it."""
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # something else has reaped it
                self.returncode = -signal.SIGKILL
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
            if self.returncode is not None:
                self._stop_watching()
        return self.returncode

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds` for the end of the program. Return True if it has ended."""
        deadline = time.monotonic() + seconds
        pause = 0.001
        while self.poll() is None:
            if time.monotonic() >= deadline:
                return False
            gevent.sleep(pause)
            pause = min(2 * pause, 0.05)
        return True

    def lower_priority(self, niceness: int) -> None:
        """Let other programs have the CPU first. Call this before the program starts threads.

        With Linux's autogroups, a priority counts only within one session, and each session has a priority of its own.
        """
        with contextlib.suppress(OSError):  # it has ended
            os.setpriority(os.PRIO_PROCESS, self.pid, niceness)
        with contextlib.suppress(OSError):  # a system without autogroups
            Path(f"/proc/{self.pid}/autogroup").write_text(str(niceness))

    def send_signal(self, number: int) -> None:
        """Send a signal to the program and its group, if any of it is left."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _watch_end(self) -> None:
        with contextlib.suppress(
            OSError
        ):  # too many open files; the program is looked at now and then as well
            self._descriptor = os.pidfd_open(self.pid)
            self._watcher = gevent.get_hub().loop.io(self._descriptor, _READABLE)
            self._watcher.start(self._note_end)

    def _note_end(self) -> None:
        self._stop_watching()
        gevent.spawn(self._tell_end)

    def _tell_end(self) -> None:
        self.wait(REAP_SECONDS)  # the system tells the end some milliseconds before the program can be reaped
        any_ended.set()

    def _stop_watching(self) -> None:
        if self._descriptor >= 0:
            self._watcher.stop()
            self._watcher.close()
            os.close(self._descriptor)
            self._descriptor = -1


def find_signal(returncode: int | None) -> int | None:
    """Return the number of the signal that ended a program, or the program that a shell script ran; None for others.

    >>> find_signal(-9), find_signal(137), find_signal(1)
    (9, 9, None)
    """
    if returncode is None or 0 <= returncode <= _SHELL_SIGNAL_OFFSET:
        return None
    number = -returncode if returncode < 0 else returncode - _SHELL_SIGNAL_OFFSET
    return number if number in signal.valid_signals() else None


def describe_exit(returncode: int | None) -> str:
    """Return how a program ended. Unless the gateway sends it, KILL comes from the kernel when memory runs out."""
    number = find_signal(returncode)
    if number == signal.SIGKILL:
        return "killed, probably out of memory"
    return f"exit code {returncode}" if number is None else f"ended by signal {number}"
