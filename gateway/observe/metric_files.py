"""The files of prometheus-client's multiprocess mode, with all of their space allocated.

The library makes sparse files and maps them into memory. If the disk is full, the first write to an unallocated page
ends the worker with SIGBUS, and with it all of its answers. Files whose space is allocated raise OSError instead, when
they are created or grow.
"""

import os
from pathlib import Path
from typing import Any

from prometheus_client import mmap_dict, values


class AllocatedDict(mmap_dict.MmapedDict):
    """The library's dictionary in a file. Raises OSError if there is no space for the whole file."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        if not read_mode:
            _allocate(filename, mmap_dict._INITIAL_MMAP_SIZE)
        super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        capacity, size = self._capacity, self._used + len(key.encode()) + 64  # with its padding and numbers
        while capacity < size:
            capacity *= 2
        if capacity > self._capacity:
            _allocate(self._fname, capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call]


def allocate_files(folder: str) -> None:
    """Make the library allocate its files in `folder`, which is created if it does not exist. Raises OSError."""
    Path(folder).mkdir(mode=0o700, exist_ok=True)
    library: Any = values
    library.MmapedDict = AllocatedDict  # the library has no setting for it


def _allocate(filename: str, size: int) -> None:
    """Allocate the first `size` bytes of a file. A new file that does not fit is removed again."""
    is_new = not Path(filename).exists()
    with open(filename, "ab") as file:  # noqa: PTH123
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError:
            if is_new:
                Path(filename).unlink()
            raise
