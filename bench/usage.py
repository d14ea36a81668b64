"""What processes cost: CPU seconds of a whole tree, resident and private memory. Memory is in MiB, None where the
system does not tell."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path
from typing import ClassVar

import psutil

MIB = 1 << 20
QUIET_SECONDS = 0.3
QUIET_SHARE = 0.1  # of one core


def tree(root: int) -> list[psutil.Process]:
    """The process and its descendants; none when it is gone."""
    try:
        process = psutil.Process(root)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(root: int) -> float:
    """CPU time the process and its descendants have used so far, those that have ended and been reaped included."""
    total = 0.0
    for process in tree(root):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def await_quiet(root: int, timeout: float = 8.0) -> None:
    """Wait until the tree is idle: what was started in the background is done. Gives up after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    used = cpu_seconds(root)
    while time.monotonic() < deadline:
        time.sleep(QUIET_SECONDS)
        before, used = used, cpu_seconds(root)
        if used - before <= QUIET_SECONDS * QUIET_SHARE:
            return


class Others:
    """How much of the machine is taken by processes that this one has not started, since it was made.

    `unaccounted` are CPU seconds of own processes that ended without being waited for, as a stopped gateway's CLIs.
    """

    unaccounted: ClassVar[float] = 0.0

    def __init__(self) -> None:
        self._begun, self._foreign = time.monotonic(), self._seconds()

    def share(self) -> float:
        """0 to 1, of all cores."""
        elapsed = (time.monotonic() - self._begun) * (psutil.cpu_count() or 1)
        return min(1.0, max(0.0, self._seconds() - self._foreign) / elapsed)

    @staticmethod
    def _seconds() -> float:
        machine = psutil.cpu_times()
        idle = machine.idle + getattr(machine, "iowait", 0.0)
        guests = getattr(machine, "guest", 0.0) + getattr(machine, "guest_nice", 0.0)  # counted as user too
        return float(sum(machine) - guests - idle) - cpu_seconds(os.getpid()) - Others.unaccounted


def rss(pid: int) -> float | None:
    """Resident memory of one process."""
    try:
        return psutil.Process(pid).memory_info().rss / MIB
    except psutil.Error:
        return None


def private(pid: int) -> float | None:
    """Memory that is the process's own: what one more of its kind costs."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:
        return None
    sizes = re.findall(r"^Private_(?:Clean|Dirty): +(\d+) kB", text, re.MULTILINE)
    return sum(map(int, sizes)) / 1024 or None


def reset_peak(pid: int) -> None:
    """Let `peak` count from now on."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(pid: int) -> float | None:
    """The most resident memory the process has had at once since `reset_peak`."""
    try:
        text = Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else None
