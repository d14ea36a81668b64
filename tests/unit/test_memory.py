"""The memory that the gateway may use, read from made-up files of the kernel."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.memory import MAX_DEFAULT_PROCESSES, MEGABYTE, MemoryGauge, count_processes, find_total
from gateway.settings import Settings

MEMINFO = "MemTotal:  4000000 kB\nMemFree:  100000 kB\nMemAvailable:  2000000 kB\nBuffers: 1 kB\n"
MACHINE = {"proc/meminfo": MEMINFO}
TOTAL, AVAILABLE = 4_000_000 * 1024, 2_000_000 * 1024

# cgroups(7); the files of the second version: https://docs.kernel.org/admin-guide/cgroup-v2.html#memory
SECOND = {
    **MACHINE,
    "proc/self/cgroup": "0::/a/b\n",
    "sys/fs/cgroup/a/b/memory.max": "max\n",
    "sys/fs/cgroup/a/memory.max": "1000000000\n",
    "sys/fs/cgroup/a/memory.current": "900000000\n",
    "sys/fs/cgroup/a/memory.stat": "anon 1\ninactive_file 50000000\nactive_file 20000000\n",
}
# https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
FIRST = {
    **MACHINE,
    "proc/self/cgroup": "5:cpu,cpuacct:/\n4:memory:/docker/x\n0::/\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000000\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": "900000000\n",
    "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 50000000\ntotal_active_file 20000000\n",
}
NO_LIMIT = {**FIRST, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}


def make_root(folder: Path, files: Mapping[str, str]) -> Path:
    """Write the files of a system below `folder`."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


@pytest.mark.parametrize(
    ("files", "total", "available"),
    [
        (MACHINE, TOTAL, AVAILABLE),
        (SECOND, 1_000_000_000, 160_000_000),
        (FIRST, 1_000_000_000, 160_000_000),
        (NO_LIMIT, TOTAL, AVAILABLE),
    ],
    ids=["machine", "second version", "container, first version", "no limit"],
)
def test_smallest_limit_counts(tmp_path: Path, files: Mapping[str, str], total: int, available: int) -> None:
    root = make_root(tmp_path, files)
    assert find_total(root=root) == total
    assert find_total(500, root=root) == 500 * MEGABYTE
    assert MemoryGauge(root=root).available() == available


def test_system_that_says_nothing_has_no_figure(tmp_path: Path) -> None:
    gauge = MemoryGauge(root=tmp_path)
    assert gauge.available() is None
    assert not gauge.is_stalled(1.0)


def test_private_memory_counts_against_the_limit_of_the_operator() -> None:
    program = "import time; data = bytearray(b'x') * 50_000_000; print(flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    try:
        assert child.stdout
        assert child.stdout.readline()
        before = MemoryGauge(1000 * MEGABYTE).available()
        after = MemoryGauge(1000 * MEGABYTE, lambda: [child.pid]).available()
    finally:
        child.kill()
        child.communicate()
    assert before is not None
    assert after is not None
    assert 50 * MEGABYTE < before - after < 100 * MEGABYTE


def test_pressure_is_the_share_of_time_in_which_processes_waited(tmp_path: Path) -> None:
    def write(total: int) -> None:
        line = (
            f"some avg10=0.00 avg60=0.00 avg300=0.00 total={total}\nfull avg10=0 avg60=0 avg300=0 total=0\n"
        )
        make_root(tmp_path, {"proc/pressure/memory": line})

    write(5_000_000)
    gauge = MemoryGauge(root=tmp_path)
    write(5_040_000)
    assert not gauge.is_stalled(0.5)
    write(5_240_000)
    assert gauge.is_stalled(0.5)
    assert not gauge.is_stalled(0.5)


@pytest.mark.parametrize(
    ("gigabytes", "workers", "processes"),
    [(0.4, 1, 1), (1, 1, 4), (2, 1, 10), (4, 1, 22), (4, 2, 10), (64, 1, 64)],
)
def test_processes_fit_in_the_memory(gigabytes: float, workers: int, processes: int) -> None:
    assert count_processes(int(gigabytes * 1e9), workers) == processes


def test_default_number_of_processes_follows_the_memory() -> None:
    assert Settings(max_memory_mb=1000).max_processes == 4
    assert Settings(max_memory_mb=1000, max_processes=7).max_processes == 7
    assert 1 <= Settings().max_processes <= MAX_DEFAULT_PROCESSES
