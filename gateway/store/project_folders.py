"""Projects' folders and the files in them. No operation ever leaves a project's folder.

Every step below PROJECT_ROOT starts from an open folder (openat) and follows no link. Therefore neither a name nor a
link that is created at the same moment can lead outside. Uploads and deleted projects pass through hidden folders of
PROJECT_ROOT, whose names no project can have.
"""

import errno
import logging
import os
import secrets
import shutil
import stat
import sys
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

#: The size, times, number and mode of a file. It changes with every change of the file.
FileState = tuple[int, ...]

UPLOADS = ".uploads"
DELETED = ".deleted-"
INSTRUCTIONS = "CLAUDE.md"
MAX_INSTRUCTIONS_BYTES = 256 * 1024
FOLDER_FAILED = "The project's folder is not available now. Try again later."
DISK_FULL = "The disk of the gateway's projects is full. Try again when its operator has made room."
MAX_DEPTH = 64  # nested folders; deeper files are not listed

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OWN_FOLDER = _FOLDER | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # opening a pipe would block
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """A file of a project. `name` is its path in the project, `modified_at` is in UTC."""

    name: str
    bytes: int
    modified_at: datetime


class ProjectFolders:
    """The folders of all projects, in `root`. The files of one project have at most `max_bytes`.

    Names and paths must come from `project_paths`, which validates them. Every method raises StoreError when the file
    system fails. For example:

        folders.create("plans")
        folders.write_file("plans", ("docs", "plan.md"), [b"# Plan"])
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._root = root
        self._commit_lock = RLock()

    def create(self, name: str) -> None:
        """Create a project's folder. Raise InvalidRequest if the name is taken."""
        with store_errors():
            self._root.mkdir(parents=True, exist_ok=True)
            with self._folder() as root:
                try:
                    os.mkdir(name, 0o700, dir_fd=root)
                except FileExistsError:
                    raise InvalidRequest(
                        f"Invalid 'path': a folder '{name}' exists already. Choose another path.",
                        param="path",
                        code="path_taken",
                    ) from None

    def remove(self, name: str) -> None:
        """Delete a project's folder with its content. Something else of that name is left alone."""
        hidden = f"{DELETED}{secrets.token_hex(8)}"
        with store_errors(), self._folder() as root:
            try:
                if not stat.S_ISDIR(os.stat(name, dir_fd=root, follow_symlinks=False).st_mode):
                    log.warning("%s is not a project's folder and is not deleted", name)
                    return
                os.rename(name, hidden, src_dir_fd=root, dst_dir_fd=root)
            except FileNotFoundError:
                return
        assert shutil.rmtree.avoids_symlink_attacks
        run_in_thread(lambda: shutil.rmtree(self._root / hidden, ignore_errors=True))
        if (self._root / hidden).exists():
            log.warning("parts of a deleted project remain in %s", hidden)

    def locate(self, name: str) -> str:
        """Return the absolute path of a project's folder."""
        with store_errors(), self._folder(name):
            return str(self._root.resolve() / name)

    def count_bytes(self, name: str) -> int:
        """Return the total size of a project's files in bytes."""
        with store_errors():
            return sum(found.st_size for _, found in run_in_thread(lambda: self._list_entries(name)))

    def list_files(self, name: str) -> list[ProjectFile]:
        """Return a project's files, sorted by path. Links, and names that clients may not use, are left out."""
        with store_errors():
            listed = run_in_thread(lambda: self._list_entries(name))
        valid = [(path, found) for path, found in listed if all(map(is_valid_name, path.split("/")))]
        return [_describe_file(path, found) for path, found in sorted(valid, key=lambda entry: entry[0])]

    def open_file(self, name: str, path: Sequence[str]) -> tuple[BinaryIO, ProjectFile]:
        """Open a file, which the caller closes. Raise ProjectFileNotFound, also if the path contains a link."""
        with store_errors(), _missing_as_not_found(path), self._folder(name, *path[:-1]) as folder:
            descriptor = os.open(path[-1], _FILE, dir_fd=folder)
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                os.close(descriptor)
                raise FileNotFoundError
            return os.fdopen(descriptor, "rb"), _describe_file("/".join(path), found)

    def write_file(self, name: str, path: Sequence[str], chunks: Iterable[bytes]) -> ProjectFile:
        """Create or replace a file, once all of its content has arrived.

        Raise ProjectTooLarge, or InvalidRequest if the path is a folder or leads through a file or a link.
        """
        with store_errors(), self._uploads_folder() as uploads:
            upload = secrets.token_hex(16)
            try:
                size = self._save_upload(uploads, upload, chunks, self._count_room(name, path))
                with self._commit_lock:
                    if size > self._count_room(name, path):
                        raise _too_large(self.max_bytes)
                    self._move_upload(uploads, upload, name, path)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(upload, dir_fd=uploads)
        file, written = self.open_file(name, path)
        file.close()
        return written

    def list_names(self, name: str, path: Sequence[str]) -> list[str]:
        """Return the names in a folder of a project, sorted; [] if there is no such folder."""
        try:
            with store_errors(), _missing_as_not_found(path), self._folder(name, *path) as folder:
                return sorted(entry.name for entry in os.scandir(folder))
        except ProjectFileNotFound:
            return []

    def walk_files(self, name: str) -> list[tuple[str, FileState]]:
        """Return the paths of all files of a project and their states. Blocks; call it in a thread."""
        return [
            (path, (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_mode))
            for path, found in self._list_entries(name)
        ]

    def put_file(self, name: str, path: Sequence[str], chunks: Iterable[bytes], mode: int) -> None:
        """Create or replace a file, no matter how large. Blocks; call it in a thread. Raise as `write_file` does."""
        with store_errors(), self._uploads_folder() as uploads:
            upload = secrets.token_hex(16)
            try:
                self._save_upload(uploads, upload, chunks, sys.maxsize)
                os.chmod(upload, stat.S_IMODE(mode), dir_fd=uploads)
                self._move_upload(uploads, upload, name, path)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(upload, dir_fd=uploads)

    def delete_file(self, name: str, path: Sequence[str]) -> None:
        """Delete a file. Raise ProjectFileNotFound, also for folders and links."""
        with store_errors(), _missing_as_not_found(path), self._folder(name, *path[:-1]) as folder:
            if not stat.S_ISREG(os.stat(path[-1], dir_fd=folder, follow_symlinks=False).st_mode):
                raise FileNotFoundError
            os.unlink(path[-1], dir_fd=folder)

    def read_instructions(self, name: str) -> str:
        """Return the text of the project's CLAUDE.md, or "" without one. Raise InvalidRequest if it is too long."""
        try:
            file, _ = self.open_file(name, (INSTRUCTIONS,))
        except ProjectFileNotFound:
            return ""
        with store_errors(), file:
            text = file.read(MAX_INSTRUCTIONS_BYTES + 1)
        if len(text) > MAX_INSTRUCTIONS_BYTES:
            raise InvalidRequest(
                f"The project's {INSTRUCTIONS} has more than {MAX_INSTRUCTIONS_BYTES} bytes. Shorten it.",
                param="project_id",
            )
        return text.decode("utf-8", "replace")

    @contextmanager
    def _folder(self, *names: str, make: bool = False) -> Iterator[int]:
        """Yield a descriptor of the folder with these names, opened step by step. `make` creates all but the first."""
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

    def _list_entries(self, name: str) -> list[tuple[str, os.stat_result]]:
        with self._folder(name) as folder:
            return list(_walk(folder))

    @contextmanager
    def _uploads_folder(self) -> Iterator[int]:
        with self._folder() as root, suppress(FileExistsError):
            os.mkdir(UPLOADS, 0o700, dir_fd=root)
        with self._folder(UPLOADS) as uploads:
            yield uploads

    def _count_room(self, name: str, path: Sequence[str]) -> int:
        """Return the number of bytes that the file may have. The file that it replaces does not count."""
        try:
            file, replaced = self.open_file(name, path)
        except ProjectFileNotFound:
            return self.max_bytes - self.count_bytes(name)
        file.close()
        return self.max_bytes - self.count_bytes(name) + replaced.bytes

    def _save_upload(self, uploads: int, upload: str, chunks: Iterable[bytes], room: int) -> int:
        size = 0
        with os.fdopen(os.open(upload, _NEW_FILE, 0o600, dir_fd=uploads), "wb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > room:
                    raise _too_large(self.max_bytes)
                file.write(chunk)
        return size

    def _move_upload(self, uploads: int, upload: str, name: str, path: Sequence[str]) -> None:
        try:
            with self._folder(name, *path[:-1], make=True) as folder:
                os.rename(upload, path[-1], src_dir_fd=uploads, dst_dir_fd=folder)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.EISDIR, errno.ELOOP):
                raise
            raise InvalidRequest(
                "Invalid 'path': it is a folder, or a part of it is a file or a link.", param="path"
            ) from None


def _walk(folder: int, before: str = "", depth: int = 0) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the path and status of each regular file below an open folder. Unreadable ones are left out."""
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


def run_in_thread(work: Callable[[], T]) -> T:
    """Run work that may take long in a thread, because it would block every greenlet."""
    return gevent.get_hub().threadpool.apply(work)


def _describe_file(name: str, found: os.stat_result) -> ProjectFile:
    return ProjectFile(name, found.st_size, datetime.fromtimestamp(found.st_mtime, timezone.utc))


def _too_large(max_bytes: int) -> ProjectTooLarge:
    return ProjectTooLarge(
        f"The project may have {max_bytes} bytes (MAX_PROJECT_SIZE_MB). Delete files first.", param="file"
    )


@contextmanager
def _missing_as_not_found(path: Sequence[str]) -> Iterator[None]:
    """Raise ProjectFileNotFound if a part of the path is missing, or is not a folder or regular file."""
    try:
        yield
    except OSError as error:
        if error.errno not in (None, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            raise
        raise ProjectFileNotFound(f"The project has no file '{'/'.join(path)}'.", param="path") from None


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn errors of the file system into StoreError. Details go to the log, not to the client."""
    try:
        yield
    except OSError as error:
        log.warning("the file system failed in a project's folder: %s", error)
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise StoreError(DISK_FULL if is_full else FOLDER_FAILED, retry_after=1) from error
