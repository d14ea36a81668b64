"""Start a program without stopping every greenlet for it, and see it end.

gevent's Popen forks, which takes about 10 ms in which nothing else runs; posix_spawn takes a tenth of one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence

import gevent

# posix_spawn knows no working directory: a shell changes into it and becomes the program.
_IN_FOLDER = ("/bin/sh", "-c", 'cd "$0" && exec "$@"')

# A worker that is KILLed cannot end its children; on Linux the kernel does, if setpriv (util-linux) asks it to.
_setpriv = shutil.which("setpriv")
_DIE_WITH_PARENT = (_setpriv, "--pdeathsig", "KILL", "--") if _setpriv else ()

# What Python ignores and a program expects to be told.
_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)


class Child:
    """A program in a session of its own, with the given descriptors as its stdin, stdout and stderr.

    A program that cannot be run shows as one that ends at once with code 126 or 127.
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

    def poll(self) -> int | None:
        """The exit code (negative: the signal that ended it), once it has ended and is reaped."""
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # reaped by somebody else
                self.returncode = -signal.SIGKILL
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        deadline = time.monotonic() + seconds
        pause = 0.001
        while self.poll() is None:
            if time.monotonic() >= deadline:
                return False
            gevent.sleep(pause)
            pause = min(2 * pause, 0.05)
        return True

    def signal(self, number: int) -> None:
        """Signal the program and its group, if there is any of it left."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
