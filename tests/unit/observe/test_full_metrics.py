"""Metrics on a full disk: they are incomplete, and nothing else fails."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import mmap_dict

from gateway.errors import MetricsUnavailable
from gateway.observe import metric_files, metrics
from gateway.observe.metrics import COUNTERS, GAUGES, Metrics, MetricsSnapshot
from tests.support.gateway import ROOT

# The library chooses its mode when it is imported, so this needs a process of its own.
COUNT_ON_A_FULL_DISK = """
import errno, os, sys
from gateway.observe import metric_files, metrics
from tests.unit.observe.test_full_metrics import snapshot

def refuse(*_):
    raise OSError(errno.ENOSPC, "No space left on device")

allocate = os.posix_fallocate
figures = metrics.Metrics(sys.argv[1], snapshot, str)
os.posix_fallocate = refuse
figures.sample()
try:
    figures.render()
except metrics.MetricsUnavailable as error:
    print(error.message)
os.posix_fallocate = allocate
figures.sample()
os.posix_fallocate = refuse
for number in range(2000):  # more than the first file has room for
    figures.count_batch_item(f"result {number}")
os.posix_fallocate = allocate
figures.count_batch_item("completed")
print('gateway_batch_items_total{result="completed"} 1.0' in figures.render().decode())
"""


def snapshot() -> MetricsSnapshot:
    return MetricsSnapshot(dict.fromkeys((*GAUGES, *COUNTERS, "logged_in"), 0), (), 0)


def test_space_of_a_file_is_allocated_before_it_is_used(tmp_path: Path) -> None:
    """The library's own files are sparse: only 4,096 of 65,536 bytes are allocated, and the next page is a SIGBUS."""
    values: Any = metric_files.AllocatedDict(str(tmp_path / "counter_1.db"))
    sizes = []
    for number in range(2000):
        values.write_value(f"a key that is not very short {number}", 1.0, 0.0)
        stat = (tmp_path / "counter_1.db").stat()
        assert stat.st_blocks * 512 >= stat.st_size
        sizes.append(stat.st_size)
    assert sizes[0] == mmap_dict._INITIAL_MMAP_SIZE < sizes[-1]
    values.close()


def test_counts_go_on_when_there_is_space_again(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-c", COUNT_ON_A_FULL_DISK, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    problem, is_counted = done.stdout.splitlines()
    assert problem == "The metrics have no files, because TMPDIR cannot be written: No space left on device."
    assert is_counted == "True"


def test_failure_to_write_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def refuse(folder: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(metrics, "allocate_files", refuse)
    figures = Metrics(str(tmp_path), snapshot, str)
    for _ in range(3):
        figures.count_batch_item("completed")
    with pytest.raises(MetricsUnavailable, match="No space left on device"):
        figures.render()
    monkeypatch.undo()
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "metrics cannot be written and are incomplete"
    ]
