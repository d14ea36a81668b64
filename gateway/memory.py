"""The memory that the gateway may use, how many CLI processes fit in it, and how much of it is left.

The limit is the smallest of the machine's memory, the limits of the control groups of the gateway (a container, or
MemoryMax of systemd), and MAX_MEMORY_MB. For example, on a machine with 4 GB:

>>> count_processes(4_000_000_000, workers=1)
22
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

MEGABYTE = 1_000_000
#: Measured with Claude Code 2.1.332: a CLI process that has just started takes 100 MB of its own, 150 to 155 after its
#: first answers, and 180 at most in conversations of 25 turns.
PROCESS_BYTES = 155 * MEGABYTE
WORKER_BYTES = 100 * MEGABYTE
#: For everything else on the machine or in the container, and for the system's cache of files.
RESERVED_SHARE = 0.1
MIN_RESERVED_BYTES = 256 * MEGABYTE
MAX_DEFAULT_PROCESSES = 64  # a conversation needs no more than one, so few gateways need more
STALLED_SHARE = 0.1  # pressure: processes waited for memory for this share of the time

_NO_LIMIT = 1 << 60  # the first version of control groups has a huge number in place of none
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def count_processes(total_bytes: int, workers: int) -> int:
    """Return how many CLI processes each worker may have, so that all of them fit in the memory."""
    share = usable_bytes(total_bytes) / workers - WORKER_BYTES
    return int(min(max(1, share // PROCESS_BYTES), MAX_DEFAULT_PROCESSES))


def usable_bytes(total_bytes: int) -> float:
    """Return the part of the memory that the workers and their processes may use."""
    return total_bytes - max(RESERVED_SHARE * total_bytes, MIN_RESERVED_BYTES)


def find_total(limit_mb: int = 0, root: Path = Path("/")) -> int:
    """Return the memory that the gateway may use, in bytes. `limit_mb` is the operator's limit; 0 means none."""
    limits = [limit for group in _find_groups(root) if (limit := group.limit) is not None]
    machine = _read_meminfo(root).get("MemTotal") or _PAGE_BYTES * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *limits, *([limit_mb * MEGABYTE] if limit_mb else [])])


class MemoryGauge:
    """Tells how much memory is left. Systems other than Linux do not say.

    `own_limit` is this worker's part of the operator's limit, in bytes, or None. What counts against it is the private
    memory of this process and of the processes that `list_pids` returns. `root` is for tests.
    """

    def __init__(
        self,
        own_limit: int | None = None,
        list_pids: Callable[[], Iterable[int]] = tuple,
        root: Path = Path("/"),
    ) -> None:
        self._own_limit = own_limit
        self._list_pids = list_pids
        self._root = root
        self._groups = [group for group in _find_groups(root) if group.limit is not None]
        self._pressure = _find_pressure(root)
        self._stalled = self._read_stalled()

    def available(self) -> int | None:
        """Return the bytes that can still be used; None if the system does not say."""
        found = [
            _read_meminfo(self._root).get("MemAvailable"),
            *(group.available() for group in self._groups),
        ]
        if self._own_limit is not None:
            found.append(self._own_limit - sum(map(self._private_bytes, [os.getpid(), *self._list_pids()])))
        known = [bytes_ for bytes_ in found if bytes_ is not None]
        return min(known) if known else None

    def is_stalled(self, seconds: float) -> bool:
        """Return True if processes have often waited for memory in the `seconds` since the last call."""
        before, self._stalled = self._stalled, self._read_stalled()
        return self._stalled - before > STALLED_SHARE * seconds * 1e6

    def _read_stalled(self) -> int:
        """Return the time for which some process has waited for memory, in microseconds."""
        text = _read(self._pressure)
        return int(text.partition("total=")[2].split()[0]) if "total=" in text else 0

    def _private_bytes(self, pid: int) -> int:
        fields = _read(self._root / f"proc/{pid}/statm").split()
        return (int(fields[1]) - int(fields[2])) * _PAGE_BYTES if fields else 0


class _Group:
    """A control group, of the first or the second version."""

    def __init__(self, folder: Path, names: tuple[str, str, str]) -> None:
        self.folder = folder
        self._limit, self._used, self._prefix = names

    @property
    def limit(self) -> int | None:
        """The limit in bytes; None if it has no limit."""
        return _parse_limit(_read(self.folder / self._limit))

    def available(self) -> int | None:
        """Return the bytes that can still be used. The kernel can give up most of its cache of files."""
        limit, used = self.limit, _read(self.folder / self._used)
        if limit is None or not used:
            return None
        stat = dict(
            line.split(" ", 1) for line in _read(self.folder / "memory.stat").splitlines() if " " in line
        )
        cached = (
            int(stat.get(f"{self._prefix}inactive_file", 0))
            + int(stat.get(f"{self._prefix}active_file", 0)) // 2
        )
        return limit - int(used) + cached


_SECOND_VERSION = ("memory.max", "memory.current", "")
_FIRST_VERSION = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")


def _find_groups(root: Path) -> Iterator[_Group]:
    """Yield the control groups that limit this process, and the groups around them."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            base, names = root / "sys/fs/cgroup", _SECOND_VERSION
        elif "memory" in controllers.split(","):
            base, names = root / "sys/fs/cgroup/memory", _FIRST_VERSION
        else:
            continue
        folder = base / path.strip("/")
        yield from (_Group(one, names) for one in (folder, *folder.parents) if one.is_relative_to(base))


def _find_pressure(root: Path) -> Path:
    """Return the file with the pressure on the memory of the innermost group that has one, or of the machine."""
    files = (group.folder / "memory.pressure" for group in _find_groups(root))
    return next((file for file in files if file.exists()), root / "proc/pressure/memory")


def _parse_limit(text: str) -> int | None:
    """Return a limit in bytes. The second version has the word `max` for none."""
    limit = int(text) if text.strip().isdigit() else _NO_LIMIT
    return limit if limit < _NO_LIMIT else None


def _read_meminfo(root: Path) -> dict[str, int]:
    lines = _read(root / "proc/meminfo").splitlines()[:3]  # MemTotal, MemFree, MemAvailable
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError:
        return ""
