"""Run a program as on a machine with little memory, in a control group with a limit.

Root makes the group; for other users systemd does. The kernel then kills a process of the group at the limit, as it
would on such a machine, and counts it. For example:

    with memory_limit(1024) as prefix:
        gateway = Gateway(environ, program=Program(prefix=prefix))
        print(group_of(gateway.process.pid).kills)
"""

import contextlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.results import NotSupported

CONTROL_GROUPS = Path("/sys/fs/cgroup")
FIRST_VERSION = CONTROL_GROUPS / "memory"
ENTER = 'echo $$ > "$0" && exec "$@"'
END_SECONDS = 5.0
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class MemoryGroup:
    """The control group of a program, in the first or second version of control groups."""

    folder: Path

    @property
    def kills(self) -> int:
        """Return the number of processes that the kernel killed because the memory was used up."""
        events = self._read("memory.events") or self._read("memory.oom_control")
        found = re.search(r"^oom_kill (\d+)$", events, re.MULTILINE)
        return int(found[1]) if found else 0

    @property
    def peak(self) -> float | None:
        """Return the most memory that the group has used, in MiB. It includes the kernel's cache of files."""
        text = self._read("memory.peak") or self._read("memory.max_usage_in_bytes")
        return int(text) / MIB if text else None

    def _read(self, name: str) -> str:
        try:
            return (self.folder / name).read_text("ascii")
        except OSError:
            return ""


def group_of(pid: int) -> MemoryGroup:
    """Return the control group that limits the memory of a process."""
    groups = Path(f"/proc/{pid}/cgroup").read_text("utf-8")
    first = re.search(r"^\d+:(?:[\w=]+,)*memory(?:,[\w=]+)*:/(.*)$", groups, re.MULTILINE)
    if first:
        return MemoryGroup(FIRST_VERSION / first[1])
    second = re.search(r"^0::/(.*)$", groups, re.MULTILINE)
    return MemoryGroup(CONTROL_GROUPS / (second[1] if second else ""))


@contextlib.contextmanager
def memory_limit(mib: int) -> Iterator[tuple[str, ...]]:
    """Yield the beginning of a command that runs with at most this much memory.

    Raises NotSupported if this user can set no limit.
    """
    folder = _make_group(mib)
    if folder is None:
        yield _systemd_command(mib)
        return
    try:
        yield ("sh", "-c", ENTER, str(folder / "cgroup.procs"))
    finally:
        _remove(folder)


def _make_group(mib: int) -> Path | None:
    """Make a control group with this limit. Return None if that is not allowed."""
    is_first = FIRST_VERSION.is_dir()
    folder = (FIRST_VERSION if is_first else CONTROL_GROUPS) / f"gateway-bench-{uuid.uuid4().hex[:8]}"
    limits = ("memory.limit_in_bytes",) if is_first else ("memory.max",)
    try:
        folder.mkdir()
        for name in limits:
            (folder / name).write_text(str(mib * MIB), "ascii")
    except OSError:
        with contextlib.suppress(OSError):
            folder.rmdir()
        return None
    with contextlib.suppress(OSError):  # there may be no swap, and then no limit of it
        swap, size = ("memory.memsw.limit_in_bytes", mib * MIB) if is_first else ("memory.swap.max", 0)
        (folder / swap).write_text(str(size), "ascii")
    return folder


def _systemd_command(mib: int) -> tuple[str, ...]:
    if shutil.which("systemd-run") is None or "DBUS_SESSION_BUS_ADDRESS" not in os.environ:
        raise NotSupported("the memory of a program can be limited only by root, or in a session of systemd")
    limits = ("-p", f"MemoryMax={mib}M", "-p", "MemorySwapMax=0")
    return ("systemd-run", "--user", "--scope", "--quiet", *limits, "--")


def _remove(folder: Path) -> None:
    """Remove the group as soon as its last process has ended."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.1)
