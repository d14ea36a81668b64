"""Keep the CPUs from falling asleep while something is timed.

One that has nothing to do halts, and to wake it takes time, 0.1 ms and more in a virtual machine. A request wakes the
gateway and the CLI several times, and how deep they sleep depends on how busy the machine happens to be.
https://docs.kernel.org/power/pm_qos_interface.html
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

DEVICE = "/dev/cpu_dma_latency"
AT_ONCE = b"\0" * 4  # microseconds


@contextlib.contextmanager
def awake() -> Iterator[bool]:
    """Whether it could be done: only Linux has this, and it takes root."""
    try:
        device = os.open(DEVICE, os.O_WRONLY)
    except OSError:
        yield False
        return
    try:
        os.write(device, AT_ONCE)
        yield True
    finally:
        os.close(device)
