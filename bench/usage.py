"""The CPU seconds of process trees, and the resident and private memory of processes.

Memory is in MiB, or None if the system does not report it.
"""

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
    """Return the process and its descendants, or an empty list if it is gone."""
    try:
        process = psutil.Process(root)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(root: int) -> float:
    """Return the CPU seconds of the process and its descendants so far, including reaped ones."""
    total = 0.0
    for process in tree(root):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def await_quiet(root: int, timeout: float = 8.0) -> None:
    """Wait until the tree is idle, so that its work in the background is done, but at most `timeout` seconds."""
    deadline = time.monotonic() + timeout
    used = cpu_seconds(root)
    while time.monotonic() < deadline:
        time.sleep(QUIET_SECONDS)
        before, used = used, cpu_seconds(root)
        if used - before <= QUIET_SECONDS * QUIET_SHARE:
            return


class Others:
    """The share of the CPU time that other programs have used since the object was created.

    `unaccounted` are the CPU seconds of own processes that were not reaped here, such as the CLIs of a stopped gateway.
    """

    unaccounted: ClassVar[float] = 0.0

    def __init__(self) -> None:
        self._begun, self._foreign = time.monotonic(), self._seconds()

    def share(self) -> float:
        """Return the share of all cores, 0 to 1."""
        elapsed = (time.monotonic() - self._begun) * (psutil.cpu_count() or 1)
        return min(1.0, max(0.0, self._seconds() - self._foreign) / elapsed)

    @staticmethod
    def _seconds() -> float:
        machine = psutil.cpu_times()
        idle = machine.idle + getattr(machine, "iowait", 0.0)
        guests = getattr(machine, "guest", 0.0) + getattr(
            machine, "guest_nice", 0.0
        )  # user time includes these
        return float(sum(machine) - guests - idle) - cpu_seconds(os.getpid()) - Others.unaccounted


def rss(pid: int) -> float | None:
    """Return the resident memory of one process."""
    try:
        return psutil.Process(pid).memory_info().rss / MIB
    except psutil.Error:
        return None


def private(pid: int) -> float | None:
    """Return the private memory of a process, which is the price of one more process."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:
        return None
    sizes = re.findall(r"^Private_(?:Clean|Dirty): +(\d+) kB", text, re.MULTILINE)
    return sum(map(int, sizes)) / 1024 or None


def tree_memory(root: int) -> float | None:
    """Return the proportional memory of the process and its descendants: shared pages count once."""
    sizes = [_proportional(process.pid) for process in tree(root)]
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def _proportional(pid: int) -> float | None:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:
        return None
    found = re.search(r"^Pss: +(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else None


def reset_peak(pid: int) -> None:
    """Restart the measurement of `peak`."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(pid: int) -> float | None:
    """Return the highest resident memory of the process since `reset_peak`."""
    try:
        text = Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else None
