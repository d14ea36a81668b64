"""The number of CPU cores that the gateway may use."""

import os
from pathlib import Path


def count_cores(root: Path = Path("/")) -> int:
    """Return the cores of this process, within the quota of its container. It is 1 at least."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _read_quota(root)
    return allowed if quota is None else max(1, min(allowed, round(quota)))


def _read_quota(root: Path) -> float | None:
    """Return the cores that the container may use, in the first or the second version of control groups."""
    groups = root / "sys/fs/cgroup"
    try:
        quota, period = (groups / "cpu.max").read_text("ascii").split()
    except (OSError, ValueError):
        try:
            quota = (groups / "cpu/cpu.cfs_quota_us").read_text("ascii").strip()
            period = (groups / "cpu/cpu.cfs_period_us").read_text("ascii").strip()
        except OSError:
            return None
    return int(quota) / int(period) if quota.isdigit() and int(period) else None
