"""The number of cores that the gateway may use."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.cores import count_cores
from tests.unit.test_memory import make_root

SECOND = {"sys/fs/cgroup/cpu.max": "50000 100000\n"}
FIRST = {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}
NO_LIMIT = {"sys/fs/cgroup/cpu.max": "max 100000\n"}
NO_LIMIT_FIRST = {**FIRST, "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n"}


@pytest.mark.parametrize(
    ("files", "is_limited"),
    [(SECOND, True), (FIRST, True), (NO_LIMIT, False), (NO_LIMIT_FIRST, False), ({}, False)],
    ids=["second version", "first version", "no limit", "no limit, first version", "no groups"],
)
def test_quota_of_the_container_limits_the_cores(
    tmp_path: Path, files: Mapping[str, str], is_limited: bool
) -> None:
    assert count_cores(make_root(tmp_path, files)) == (1 if is_limited else len(os.sched_getaffinity(0)))
