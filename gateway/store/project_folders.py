"""Projects' folders and the files in them. Nothing here ever leaves a project's folder.

Every step below PROJECT_ROOT is taken from an open folder (openat) and follows no link, so that neither a name nor a
link that somebody puts there in the very moment leads out. What is uploaded and what is deleted passes through hidden
folders of PROJECT_ROOT, where no project can be.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO, TypeVar

import gevent
from gevent.lock import RLock

from gateway.errors import InvalidRequest, ProjectFileNotFound, ProjectTooLarge, StoreError
from gateway.store.project_paths import is_valid_name

log = logging.getLogger(__name__)

T = TypeVar("T")

UPLOADS = ".uploads"
DELETED = ".deleted-"
INSTRUCTIONS = "CLAUDE.md"
MAX_INSTRUCTIONS_BYTES = 256 * 1024  # bytes
MAX_DEPTH = 64  # folders within each other; what is deeper does not show

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OWN_FOLDER = _FOLDER | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe would stop everything
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """A file of a project: its path in it, size and time of change (UTC)."""

    name: str
    bytes: int
    modified_at: datetime


class ProjectFolders:
    """The folders in `root`, `max_bytes` in each. Names and paths are ones that `paths` has passed.

    Every method raises StoreError when the file system fails.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._root = root
        self._commit = RLock()

    def create(self, name: str) -> None:
        """Make a project's folder. Raises InvalidRequest if there is anything of that name."""
        with _store_errors():
            self._root.mkdir(parents=True, exist_ok=True)
            with self._folder() as root:
                try:
                    os.mkdir(name, 0o700, dir_fd=root)
                except FileExistsError:
                    raise InvalidRequest(
                        f"Invalid 'path': there is a folder '{name}' already.",
                        param="path",
                        code="path_taken",
                    ) from None

    def remove(self, name: str) -> None:
        """Delete a project's folder with all that is in it. What is no folder is left alone."""
        hidden = f"{DELETED}{secrets.token_hex(8)}"
        with _store_errors(), self._folder() as root:
            try:
                if not stat.S_ISDIR(os.stat(name, dir_fd=root, follow_symlinks=False).st_mode):
                    log.warning("the project's folder %s is none, and is left alone", name)
                    return
                os.rename(name, hidden, src_dir_fd=root, dst_dir_fd=root)
            except FileNotFoundError:
                return
        assert shutil.rmtree.avoids_symlink_attacks
        _run_in_thread(lambda: shutil.rmtree(self._root / hidden, ignore_errors=True))
        if (self._root / hidden).exists():
            log.warning("a part of a deleted project is left in %s", hidden)

    def locate(self, name: str) -> str:
        """The absolute path of a project's folder."""
        with _store_errors(), self._folder(name):
            return str(self._root.resolve() / name)

    def count_bytes(self, name: str) -> int:
        """The sizes of all files of a project, in bytes."""
        with _store_errors():
            return sum(found.st_size for _, found in _run_in_thread(lambda: self._listing(name)))

    def list_files(self, name: str) -> list[ProjectFile]:
        """All files of a project that have a name a client could give, by path. Links do not count."""
        with _store_errors():
            listed = _run_in_thread(lambda: self._listing(name))
        return sorted(
            (_file(path, found) for path, found in listed if all(map(is_valid_name, path.split("/")))),
            key=lambda file: file.name,
        )

    def open_file(self, name: str, path: Sequence[str]) -> tuple[BinaryIO, ProjectFile]:
        """A file to read, which the caller closes. Raises ProjectFileNotFound, also where a link is on the way."""
        with _store_errors(), _missing_as_not_found(path), self._folder(name, *path[:-1]) as folder:
            descriptor = os.open(path[-1], _FILE, dir_fd=folder)
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                os.close(descriptor)
                raise FileNotFoundError
            return os.fdopen(descriptor, "rb"), _file("/".join(path), found)

    def write_file(self, name: str, path: Sequence[str], chunks: Iterable[bytes]) -> ProjectFile:
        """Put a file there, or in place of the one that is there, when all of it has come.

        Raises ProjectTooLarge, or InvalidRequest where the path leads through a file or a link, or to a folder.
        """
        with _store_errors(), self._uploads() as uploads:
            upload = secrets.token_hex(16)
            try:
                size = self._receive(uploads, upload, chunks, self._room(name, path))
                with self._commit:
                    self._check_room(name, path, size)
                    self._move(uploads, upload, name, path)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(upload, dir_fd=uploads)
        file, written = self.open_file(name, path)
        file.close()
        return written

    def delete_file(self, name: str, path: Sequence[str]) -> None:
        """Delete a file. Raises ProjectFileNotFound; folders and links are none."""
        with _store_errors(), _missing_as_not_found(path), self._folder(name, *path[:-1]) as folder:
            if not stat.S_ISREG(os.stat(path[-1], dir_fd=folder, follow_symlinks=False).st_mode):
                raise FileNotFoundError
            os.unlink(path[-1], dir_fd=folder)

    def read_instructions(self, name: str) -> str:
        """The text of the project's CLAUDE.md; "" if it has none. Raises InvalidRequest if it is too long."""
        try:
            file, _ = self.open_file(name, (INSTRUCTIONS,))
        except ProjectFileNotFound:
            return ""
        with _store_errors(), file:
            text = file.read(MAX_INSTRUCTIONS_BYTES + 1)
        if len(text) > MAX_INSTRUCTIONS_BYTES:
            raise InvalidRequest(
                f"The project's {INSTRUCTIONS} has more than {MAX_INSTRUCTIONS_BYTES} bytes.",
                param="project_id",
            )
        return text.decode("utf-8", "replace")

    @contextmanager
    def _folder(self, *names: str, make: bool = False) -> Iterator[int]:
        """The folder behind these names, opened step by step; with `make` all but the first are made."""
        folder = os.open(self._root, _FOLDER)
        try:
            for depth, name in enumerate(names):
                if make and depth:
                    with suppress(FileExistsError):
                        os.mkdir(name, dir_fd=folder)
                inner = os.open(name, _OWN_FOLDER, dir_fd=folder)
                os.close(folder)
                folder = inner
            yield folder
        finally:
            os.close(folder)

    def _listing(self, name: str) -> list[tuple[str, os.stat_result]]:
        with self._folder(name) as folder:
            return list(_walk(folder))

    @contextmanager
    def _uploads(self) -> Iterator[int]:
        with self._folder() as root, suppress(FileExistsError):
            os.mkdir(UPLOADS, 0o700, dir_fd=root)
        with self._folder(UPLOADS) as uploads:
            yield uploads

    def _room(self, name: str, path: Sequence[str]) -> int:
        """How large the file may be: what it replaces does not count."""
        try:
            file, replaced = self.open_file(name, path)
        except ProjectFileNotFound:
            return self.max_bytes - self.count_bytes(name)
        file.close()
        return self.max_bytes - self.count_bytes(name) + replaced.bytes

    def _check_room(self, name: str, path: Sequence[str], size: int) -> None:
        if size > self._room(name, path):
            raise _too_large(self.max_bytes)

    def _receive(self, uploads: int, upload: str, chunks: Iterable[bytes], room: int) -> int:
        size = 0
        with os.fdopen(os.open(upload, _NEW_FILE, 0o600, dir_fd=uploads), "wb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > room:
                    raise _too_large(self.max_bytes)
                file.write(chunk)
        return size

    def _move(self, uploads: int, upload: str, name: str, path: Sequence[str]) -> None:
        try:
            with self._folder(name, *path[:-1], make=True) as folder:
                os.rename(upload, path[-1], src_dir_fd=uploads, dst_dir_fd=folder)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.EISDIR, errno.ELOOP):
                raise
            raise InvalidRequest(
                "Invalid 'path': it leads to a folder, or a part of it is a file or a link.", param="path"
            ) from None


def _walk(folder: int, before: str = "", depth: int = 0) -> Iterator[tuple[str, os.stat_result]]:
    """The regular files below an open folder, with their paths. What vanishes or is closed to us is left out."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        with suppress(OSError):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                yield before + name, found
            elif stat.S_ISDIR(found.st_mode) and depth < MAX_DEPTH:
                inner = os.open(name, _OWN_FOLDER, dir_fd=folder)
                try:
                    yield from _walk(inner, f"{before}{name}/", depth + 1)
                finally:
                    os.close(inner)


def _run_in_thread(work: Callable[[], T]) -> T:
    """Do what may take long in a thread: it would stop every greenlet."""
    return gevent.get_hub().threadpool.apply(work)


def _file(name: str, found: os.stat_result) -> ProjectFile:
    return ProjectFile(name, found.st_size, datetime.fromtimestamp(found.st_mtime, timezone.utc))


def _too_large(max_bytes: int) -> ProjectTooLarge:
    return ProjectTooLarge(
        f"The project may have {max_bytes} bytes in all (MAX_PROJECT_SIZE_MB).", param="file"
    )


@contextmanager
def _missing_as_not_found(path: Sequence[str]) -> Iterator[None]:
    """A part that is missing, or is no folder or file of its own, means that there is no such file."""
    try:
        yield
    except OSError as error:
        if error.errno not in (None, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            raise
        raise ProjectFileNotFound(f"The project has no file '{'/'.join(path)}'.", param="path") from None


@contextmanager
def _store_errors() -> Iterator[None]:
    """Errors of the file system become ours. The client is told no detail, the log is."""
    try:
        yield
    except OSError as error:
        log.warning("a project's folder failed: %s", error)
        raise StoreError("The project's folder is not available now.") from error
