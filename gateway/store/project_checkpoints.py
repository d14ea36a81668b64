"""Checkpoints of projects' folders: copies of all files before an answer of an agent, to undo what it did.

Checkpoints are in a hidden folder of PROJECT_ROOT, whose name no project can have. Each file's content is stored once,
by its hash, and a file that has not changed since the checkpoint before is not read again. Folders and links are not
part of a checkpoint.

For example:

    checkpoint = checkpoints.create("garden", "req_1", "key_1")
    ...                                                           # an agent changes a.txt and creates b.txt
    checkpoints.restore("garden", checkpoint.id)                  # Rewound(restored=("a.txt",), deleted=("b.txt",), …)
"""

import hashlib
import json
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

from gateway.errors import CheckpointNotFound, GatewayError, ProjectFileNotFound, StoreError
from gateway.store.database import utc_now
from gateway.store.project_folders import FileState, ProjectFolders, run_in_thread, store_errors

FOLDER = ".checkpoints"
CHUNK_BYTES = 1 << 20
MANIFEST = ".json"
GRACE_SECONDS = 600.0  # content is older than this when it is deleted: another answer may just have stored it


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in a checkpoint. `digest` names its content; "" if the gateway may not read it."""

    digest: str
    bytes: int
    state: FileState


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The files of a project at one time, by their paths. `owner` sent the request that it precedes."""

    id: str
    request_id: str
    owner: str
    created_at: datetime
    files: Mapping[str, StoredFile]

    @property
    def bytes(self) -> int:
        """The total size of the files."""
        return sum(file.bytes for file in self.files.values())


@dataclass(frozen=True, slots=True)
class Rewound:
    """The paths that a rewind has restored, deleted, and left alone because a link or a folder is in the way."""

    restored: tuple[str, ...]
    deleted: tuple[str, ...]
    skipped: tuple[str, ...]


Listed = list[Checkpoint]


class ProjectCheckpoints:
    """The checkpoints of all projects: the newest `kept` of each, of files with at most `max_bytes` in all.

    Names of folders must come from `project_paths`. Every method raises StoreError when the file system fails.
    """

    def __init__(self, root: Path, folders: ProjectFolders, kept: int, max_bytes: int) -> None:
        self._root = root / FOLDER
        self._folders = folders
        self._kept = kept
        self._max_bytes = max_bytes

    def create(self, name: str, request_id: str, owner: str, protected: str = "") -> Checkpoint | None:
        """Copy the files of a project. Return None if they are too large, or if checkpoints are turned off.

        The oldest checkpoints make room for the new one, except for the one with the id `protected`.
        """
        if not self._kept or self._folders.count_bytes(name) > self._max_bytes:
            return None
        checkpoint = Checkpoint(f"chk_{secrets.token_hex(12)}", request_id, owner, utc_now(), {})
        with store_errors():
            return run_in_thread(lambda: self._create(name, checkpoint, protected))

    def list(self, name: str) -> Listed:
        """Return the checkpoints of a project, the newest first."""
        with store_errors():
            return run_in_thread(lambda: self._list(name))

    def restore(self, name: str, checkpoint_id: str) -> Rewound:
        """Give the files of a project the content that they had, and delete the others. Raise CheckpointNotFound."""
        with store_errors():
            return run_in_thread(lambda: self._restore(name, checkpoint_id))

    def remove(self, name: str) -> None:
        """Delete the checkpoints of a project."""
        run_in_thread(lambda: shutil.rmtree(self._root / name, ignore_errors=True))

    def _create(self, name: str, empty: Checkpoint, protected: str) -> Checkpoint:
        folder = self._root / name
        (folder / "content").mkdir(mode=0o700, parents=True, exist_ok=True)
        earlier = self._list(name)
        known = earlier[0].files if earlier else {}
        files: dict[str, StoredFile] = {}
        for path, state in self._folders.walk_files(name):
            before = known.get(path)
            if before is not None and before.state == state:
                files[path] = before
            else:
                with suppress(ProjectFileNotFound):  # it has just been deleted
                    files[path] = self._copy(name, path, state)
        checkpoint = replace(empty, files=files)
        _write_manifest(folder, checkpoint)
        self._forget([checkpoint, *earlier], folder, protected)
        return checkpoint

    def _copy(self, name: str, path: str, state: FileState) -> StoredFile:
        content = self._root / name / "content"
        unnamed = content / f"new-{secrets.token_hex(8)}"
        try:
            file, _ = self._folders.open_file(name, path.split("/"))
        except StoreError:
            return StoredFile("", state[0], state)
        digest, size = hashlib.sha256(), 0
        with file, unnamed.open("xb") as copy:
            for chunk in _read_chunks(file):
                digest.update(chunk)
                size += len(chunk)
                copy.write(chunk)
        unnamed.replace(content / digest.hexdigest())
        return StoredFile(digest.hexdigest(), size, state)

    def _forget(self, checkpoints: Sequence[Checkpoint], folder: Path, protected: str) -> None:
        """Delete all but the newest checkpoints, and the content that no other checkpoint needs."""
        old = [checkpoint for checkpoint in checkpoints[self._kept :] if checkpoint.id != protected]
        for checkpoint in old:
            (folder / f"{checkpoint.id}{MANIFEST}").unlink(missing_ok=True)
        kept = [checkpoint for checkpoint in checkpoints if checkpoint not in old]
        needed = {file.digest for checkpoint in kept for file in checkpoint.files.values()}
        for stored in (folder / "content").iterdir():
            with suppress(FileNotFoundError):
                if stored.name not in needed and time.time() - stored.stat().st_mtime > GRACE_SECONDS:
                    stored.unlink()

    def _list(self, name: str) -> Listed:
        found = []
        for path in (self._root / name).glob(f"chk_*{MANIFEST}"):
            with suppress(FileNotFoundError):
                found.append(_read_manifest(path))
        return sorted(found, key=lambda checkpoint: checkpoint.created_at, reverse=True)

    def _restore(self, name: str, checkpoint_id: str) -> Rewound:
        checkpoint = next((each for each in self._list(name) if each.id == checkpoint_id), None)
        if checkpoint is None:
            raise CheckpointNotFound(f"There is no checkpoint '{checkpoint_id}'.", param="checkpoint_id")
        states = dict(self._folders.walk_files(name))
        changed = [path for path, file in checkpoint.files.items() if states.get(path) != file.state]
        deleted = [path for path in states if path not in checkpoint.files and self._delete(name, path)]
        skipped = [path for path in changed if not self._put_back(name, path, checkpoint.files[path])]
        restored = [path for path in changed if path not in skipped]
        return Rewound(tuple(sorted(restored)), tuple(sorted(deleted)), tuple(sorted(skipped)))

    def _delete(self, name: str, path: str) -> bool:
        try:
            self._folders.delete_file(name, path.split("/"))
        except GatewayError:
            return False
        return True

    def _put_back(self, name: str, path: str, stored: StoredFile) -> bool:
        try:
            with (self._root / name / "content" / stored.digest).open("rb") as content:
                self._folders.put_file(name, path.split("/"), _read_chunks(content), stored.state[-1])
        except (OSError, GatewayError):
            return False
        return True


def _read_chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _write_manifest(folder: Path, checkpoint: Checkpoint) -> None:
    data = {**asdict(checkpoint), "created_at": checkpoint.created_at.timestamp()}
    unnamed = folder / f"new-{secrets.token_hex(8)}"
    unnamed.write_text(json.dumps(data))
    unnamed.replace(folder / f"{checkpoint.id}{MANIFEST}")


def _read_manifest(path: Path) -> Checkpoint:
    data: dict[str, Any] = json.loads(path.read_text())
    files = {
        name: StoredFile(file["digest"], file["bytes"], tuple(file["state"]))
        for name, file in data["files"].items()
    }
    created_at = datetime.fromtimestamp(data["created_at"], timezone.utc)
    return Checkpoint(data["id"], data["request_id"], data["owner"], created_at, files)
