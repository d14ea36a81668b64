"""Keep the CPUs awake during a measurement.

An idle CPU halts, and waking it takes 0.1 ms and more in a virtual machine. A request wakes the gateway and the CLI
several times, and the depth of their sleep depends on the other load of the machine.
https://docs.kernel.org/power/pm_qos_interface.html
"""

import contextlib
import os
from collections.abc import Iterator

DEVICE = "/dev/cpu_dma_latency"
NO_LATENCY = b"\0" * 4  # microseconds


@contextlib.contextmanager
def awake() -> Iterator[bool]:
    """Keep the CPUs awake in the block. Yield False if that is impossible: it needs Linux and root."""
    try:
        device = os.open(DEVICE, os.O_WRONLY)
    except OSError:
        yield False
        return
    try:
        os.write(device, NO_LATENCY)
        yield True
    finally:
        os.close(device)
