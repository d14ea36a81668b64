#!/usr/bin/env python3
"""End whatever listens on a TCP port of this machine: asked first, killed after five seconds. Behind `make kill`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time

PATIENCE_SECONDS = 5.0


def listeners(port: int) -> list[int]:
    """The processes that listen on the port. Exits when neither lsof nor fuser is there to tell."""
    if shutil.which("lsof"):
        command = ["lsof", "-t", f"-iTCP:{port}", "-sTCP:LISTEN"]
    elif shutil.which("fuser"):
        command = ["fuser", f"{port}/tcp"]
    else:
        sys.exit("lsof or fuser is needed. On Debian and Ubuntu: apt install lsof")
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return [int(pid) for pid in found.split()]


def alive(pids: list[int]) -> list[int]:
    """Those of the processes that have not ended; one that its parent has not yet noticed has."""
    command = ["ps", "-o", "pid=", "-o", "stat=", "-p", ",".join(map(str, pids))]
    words = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    return [int(pid) for pid, state in zip(words[::2], words[1::2], strict=True) if not state.startswith("Z")]


def send(pids: list[int], number: signal.Signals) -> None:
    """Signal processes; some may be gone by now."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        except PermissionError:
            sys.exit(f"Process {pid} is somebody else's.")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    port = parser.parse_args().port
    found = listeners(port)
    if not found:
        print(f"Nobody listens on port {port}.")
        return
    print(f"Ending {', '.join(map(str, found))} ...", flush=True)
    send(found, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := alive(found)) and time.monotonic() < deadline:
        time.sleep(0.1)
    send(left, signal.SIGKILL)
    print(f"Port {port} is free." if not left else f"Port {port} is free: it took a KILL.")


if __name__ == "__main__":
    main()
