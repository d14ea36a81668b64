"""Checks of the machine: memory, file descriptors and disk."""

import resource
import shutil
from collections.abc import Iterator

from gateway.command_line.checks.findings import NOTE, OK, WRONG, Finding, find_existing, list_data_folders
from gateway.memory import PROCESS_BYTES, WORKER_BYTES, find_total, usable_bytes
from gateway.settings import Settings

MIN_FREE_BYTES = 1 << 30
DESCRIPTORS_PER_TURN = 5
SPARE_DESCRIPTORS = 256


def check_limits(settings: Settings) -> Iterator[Finding]:
    """Check that memory and file descriptors suffice for the limits in the settings."""
    workers = settings.web_concurrency
    needed = workers * (settings.max_processes * PROCESS_BYTES + WORKER_BYTES)
    available = find_total(settings.max_memory_mb)
    sizes = f"{needed / 1e9:.1f} of {available / 1e9:.1f} GB"
    fits = needed <= usable_bytes(available)
    remedy = "" if fits else ": lower MAX_PROCESSES, or set it to 0 for as many as fit"
    yield (
        OK if fits else WRONG,
        f"memory: up to {sizes} for {workers} x MAX_PROCESSES={settings.max_processes}{remedy}",
    )
    if settings.max_concurrent_sessions > settings.max_processes:
        yield (
            NOTE,
            "each answer needs a process: raise MAX_PROCESSES to MAX_CONCURRENT_SESSIONS or more",
        )
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_PER_TURN * settings.max_processes + settings.max_queued_requests + SPARE_DESCRIPTORS
    enough = limit == resource.RLIM_INFINITY or limit >= wanted
    yield (OK if enough else WRONG), f"file descriptors: {limit} allowed, {wanted} needed (ulimit -Hn)"


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Check the free disk space in the folders that the gateway writes to."""
    for folder in sorted({find_existing(path) for path in list_data_folders(settings)}):
        free = shutil.disk_usage(folder).free
        yield (OK if free > MIN_FREE_BYTES else WRONG), f"{free / 1e9:.1f} GB free in {folder}"
