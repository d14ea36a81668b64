"""Find the processes that listen on a TCP port of this machine, or have a file open."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))  # Linux
LISTENING = "0A"  # the state in /proc/net/tcp


def find_listeners(port: int) -> list[int]:
    """Return the ids of the processes that listen on the port. Other users' processes may be missing."""
    if TABLES[0].exists():
        return sorted(_find_in_proc(port))
    command = ["lsof", "-t", f"-iTCP:{port}", "-sTCP:LISTEN"]
    if not shutil.which(command[0]):
        sys.exit("Install lsof first.")
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return [int(pid) for pid in found.split()]


def describe_listeners(port: int) -> str:
    """Return the processes that listen on the port in words."""
    found = map(describe_process, find_listeners(port))
    return ", ".join(found) or "a process of another user"


def find_users_of_file(path: Path) -> list[int]:
    """Return the ids of the processes that have the file open. Other users' processes may be missing."""
    if TABLES[0].exists():
        return sorted(_find_links(lambda target: target == str(path.resolve())))
    found = subprocess.run(["lsof", "-t", str(path)], capture_output=True, text=True, check=False).stdout
    return [int(pid) for pid in found.split()]


def describe_process(pid: int) -> str:
    """Return a process in words, for example `pid 12 (python -m http.server)`."""
    return f"pid {pid} ({_command_of(pid)})"


def _find_in_proc(port: int) -> set[int]:
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    return _find_links(lambda target: target in sockets) if sockets else set()


def _find_links(is_wanted: Callable[[str], bool]) -> set[int]:
    """Return the processes with an open descriptor whose target is wanted."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if is_wanted(str(link.readlink())):
                found.add(int(link.parts[2]))
        except OSError:  # of another user, or closed
            continue
    return found


def _listening_inodes(port: int) -> Iterator[str]:
    for table in TABLES:
        lines = table.read_text().splitlines()[1:] if table.exists() else []
        for fields in map(str.split, lines):
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _command_of(pid: int) -> str:
    command = ["ps", "-o", "args=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()[:100]
