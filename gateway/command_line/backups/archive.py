"""The file of a backup: a compressed tar archive with a manifest, a copy of the database, and the projects' files.

The manifest is its first entry. It says which code can read the rest:

    {"format": 1, "gateway": "1.1.0", "created_at": "2026-11-27T10:00:00+00:00", "database": "gateway.db",
     "migrations": ["0001_api_keys", "0002_projects_sessions_usage"], "has_projects": true}
"""

import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import IO

from gateway.version import VERSION

FORMAT = 1
MANIFEST = "manifest.json"
PROJECTS = "projects"


class BackupError(Exception):
    """The backup cannot be written or used. The message says why, and what to do."""


@dataclass(frozen=True)
class Manifest:
    """The description of a backup. `database` is the name of the copy of the database in the archive."""

    format: int
    gateway: str
    created_at: str
    database: str
    migrations: list[str]
    has_projects: bool

    def check_readable(self, known: Sequence[str]) -> None:
        """Raise BackupError unless this code knows the format and all migrations of the backup."""
        unknown = sorted(set(self.migrations) - set(known))
        if self.format > FORMAT or unknown:
            which = f"migration {unknown[-1]}" if unknown else f"format {self.format}"
            raise BackupError(
                f"The backup was made by version {self.gateway}. This version, {VERSION}, does not know its data "
                f"({which}). Install version {self.gateway} or a newer one first."
            )


def describe_now(database: str, migrations: Sequence[str], *, has_projects: bool) -> Manifest:
    """Return the manifest of a backup that is made now."""
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Manifest(FORMAT, VERSION, created, database, sorted(migrations), has_projects)


def write_archive(target: Path, manifest: Manifest, database: Path, projects: Path | None) -> None:
    """Write the archive, or no file if that fails. Only its owner may read it, because it has clients' data."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as archive:
                _add_bytes(archive, MANIFEST, json.dumps(asdict(manifest), indent=2).encode())
                archive.add(database, manifest.database, filter=_without_owner)
                if projects is not None:
                    _add_folder(archive, projects)
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def open_archive(path: Path) -> Iterator["OpenArchive"]:
    """Open a backup. Raise BackupError if the file is not one."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            yield OpenArchive(archive, _read_manifest(archive))
    except (tarfile.TarError, EOFError, KeyError, ValueError, TypeError) as error:
        raise BackupError(f"{path} is not a whole backup of the gateway ({error}).") from error


class OpenArchive:
    """A backup that is being read."""

    def __init__(self, archive: tarfile.TarFile, manifest: Manifest) -> None:
        self._archive = archive
        self.manifest = manifest

    def extract_to(self, folder: Path) -> None:
        """Write all files below the folder. Links come last, so that nothing is written through them."""
        links = []
        for member in self._archive.getmembers():
            target = folder / _check_name(member.name)
            if member.issym():
                links.append((target, member.linkname))
            elif member.isdir():
                target.mkdir(mode=0o700, parents=True, exist_ok=True)
            elif member.isfile() and (source := self._archive.extractfile(member)):
                _write_file(target, source, member.mode)
        for target, destination in links:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.symlink_to(destination)


def _read_manifest(archive: tarfile.TarFile) -> Manifest:
    first = archive.next()
    if first is None or first.name != MANIFEST or (source := archive.extractfile(first)) is None:
        raise ValueError(f"it has no {MANIFEST}")
    return Manifest(**json.load(source))


def _check_name(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name} leads out of the folder")
    return path


def _write_file(target: Path, source: IO[bytes], mode: int) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with target.open("xb") as file:
        shutil.copyfileobj(source, file)
    target.chmod(mode & 0o777)


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o600
    archive.addfile(info, io.BytesIO(data))


def _add_folder(archive: tarfile.TarFile, folder: Path) -> None:
    """Add all files, folders and links below the folder. A running gateway may remove some of them at any time."""
    for current, folders, names in os.walk(folder):
        for name in sorted([*folders, *names]):
            path = Path(current, name)
            try:
                _add_path(archive, path, f"{PROJECTS}/{path.relative_to(folder)}")
            except FileNotFoundError:
                continue


def _add_path(archive: tarfile.TarFile, path: Path, name: str) -> None:
    info = _without_owner(archive.gettarinfo(path, name)) if path.exists() or path.is_symlink() else None
    if info is None:
        return
    if path.is_symlink() or path.is_dir():
        archive.addfile(info)
        return
    with tempfile.TemporaryFile() as copy:  # the size must not change while the file is added
        with path.open("rb") as source:
            shutil.copyfileobj(source, copy)
        info.type, info.linkname, info.size = tarfile.REGTYPE, "", copy.tell()
        copy.seek(0)
        archive.addfile(info, copy)


def _without_owner(info: tarfile.TarInfo | None) -> tarfile.TarInfo | None:
    """Return the entry without the ids of users, or None for sockets, pipes and devices."""
    if info is None or not (info.isfile() or info.isdir() or info.issym() or info.islnk()):
        return None
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info
