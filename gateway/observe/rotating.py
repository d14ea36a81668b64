"""A log file that several processes write and rotate, without losing a line.

The standard library's handlers do not do that: each process would rotate away what the others have just begun.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class RotatingFile(logging.Handler):
    """Appends to `path`. At `max_bytes` (0: never) the file becomes `path.1`, that one `path.2`, up to `backups`.

    One lock file, `path.lock`, keeps the processes apart; it is held for microseconds. A file that somebody else has
    moved or removed is begun anew. Raises OSError from the constructor if it cannot be written.
    """

    def __init__(self, path: Path, max_bytes: int, backups: int) -> None:
        super().__init__()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._max_bytes = max_bytes
        self._backups = backups
        self._lock_file = _open(Path(f"{path}.lock"))
        self._file = _open(path)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        try:
            line = self.format(record).encode("utf-8", "replace") + b"\n"
            with self._locked():
                self._follow()
                size = os.fstat(self._file).st_size
                if 0 < self._max_bytes < size + len(line) and size:
                    self._rotate()
                _write(self._file, line)
        except Exception:  # noqa: BLE001  logging's own way: it must not fail whoever logs
            self.handleError(record)

    def close(self) -> None:
        """Close the files."""
        super().close()
        os.close(self._file)
        os.close(self._lock_file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    def _follow(self) -> None:
        """Another process may have rotated, or logrotate."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            self._reopen()
            return
        here = os.fstat(self._file)
        if (there.st_ino, there.st_dev) != (here.st_ino, here.st_dev):
            self._reopen()

    def _rotate(self) -> None:
        names = [self._path, *(Path(f"{self._path}.{number}") for number in range(1, self._backups + 1))]
        for older, newer in zip(reversed(names), list(reversed(names))[1:], strict=False):
            if newer.exists():
                newer.replace(older)
        self._reopen()

    def _reopen(self) -> None:
        fresh = _open(self._path)
        os.close(self._file)
        self._file = fresh


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def _write(file: int, line: bytes) -> None:
    data = memoryview(line)
    while data:
        data = data[os.write(file, data) :]
