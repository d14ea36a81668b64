#!/usr/bin/env python3
"""Copy lines from stdin to a log file, and rotate it, for `make start-prod-bg`.

When the file would exceed the size it becomes `FILE.1`, the older one `FILE.2`, and so on. A full disk costs lines, but
never the gateway.
"""

import argparse
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path


class LogFile:
    """A file that is rotated at `max_bytes` (0: never). `backups` older ones are kept."""

    def __init__(self, path: Path, max_bytes: int, backups: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._backups = backups

    def write(self, line: bytes) -> None:
        """Append a line. Only the owner may read the file."""
        with suppress(OSError):
            if self._max_bytes and self._size() + len(line) > self._max_bytes:
                self._rotate()
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    def _rotate(self) -> None:
        for number in range(self._backups, 0, -1):
            newer = self._numbered(number - 1) if number > 1 else self._path
            if newer.exists():
                newer.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--max-bytes", type=int, required=True)
    parser.add_argument("--backups", type=int, required=True)
    options = parser.parse_args()
    # The end of the input ends this process, after the gateway's last line.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    log = LogFile(options.file, options.max_bytes, options.backups)
    for line in sys.stdin.buffer:
        log.write(line)


if __name__ == "__main__":
    main()
