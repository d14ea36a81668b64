#!/usr/bin/env python3
"""End the processes that listen on a TCP port of this machine, for `make kill`. After five seconds, kill them."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gateway.command_line.ports import find_listeners

PATIENCE_SECONDS = 5.0


def find_alive(pids: list[int]) -> list[int]:
    """Return the processes that have not ended. A zombie counts as ended."""
    command = ["ps", "-o", "pid=", "-o", "stat=", "-p", ",".join(map(str, pids))]
    words = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    return [int(pid) for pid, state in zip(words[::2], words[1::2], strict=True) if not state.startswith("Z")]


def send_signal(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to processes. Processes that have ended are skipped."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        except PermissionError:
            sys.exit(f"Process {pid} belongs to another user.")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    port = parser.parse_args().port
    found = find_listeners(port)
    if not found:
        print(f"No process listens on port {port}.")
        return
    print(f"Ending {', '.join(map(str, found))} ...", flush=True)
    send_signal(found, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := find_alive(found)) and time.monotonic() < deadline:
        time.sleep(0.1)
    send_signal(left, signal.SIGKILL)
    print(f"Port {port} is free." if not left else f"Port {port} is free; the processes had to be killed.")


if __name__ == "__main__":
    main()
