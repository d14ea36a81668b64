"""The stderr of a CLI process, which goes to a file without a name, so that the process never waits for a reader."""

import os
import tempfile
from typing import BinaryIO

TAIL_BYTES = 8192


class StderrFile:
    """A file for a process to write to. It reads with `pread`: a seek would move the position of the writer."""

    def __init__(self) -> None:
        self._file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
        self._read_bytes = 0

    def fileno(self) -> int:
        """Return the descriptor for the process."""
        return self._file.fileno()

    def read_new(self) -> str:
        """Return the text since the last call, at most its last TAIL_BYTES."""
        written = self._read(self._read_bytes)
        self._read_bytes += len(written)
        return _decode_tail(written)

    def read_tail(self) -> str:
        """Return the last TAIL_BYTES of everything."""
        return _decode_tail(self._read(0))

    def close(self) -> None:
        """Delete the file. There is nothing to read afterwards."""
        self._file.close()

    def _read(self, start: int) -> bytes:
        if self._file.closed:
            return b""
        new = os.fstat(self._file.fileno()).st_size - start
        return os.pread(self._file.fileno(), new, start) if new > 0 else b""


def _decode_tail(written: bytes) -> str:
    return written[-TAIL_BYTES:].decode("utf-8", "replace")
