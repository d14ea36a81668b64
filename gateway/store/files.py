"""Clients' files, with their content in chunks, so that several gateways share them through one database.

A file belongs to its owner; files of other owners, expired files and files that are still being written are treated
as missing. Content is written and read one chunk at a time, each in a transaction of its own, so that a large file
neither fills the memory nor stops other greenlets.

For example:

    row = files.create("key_1", "a.jsonl", "batch", "application/jsonl", [b'{"custom_id": "1"}', b"..."])
    b"".join(files.read("key_1", row.id))
"""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import gevent
from peewee import fn

from gateway.errors import FileQuotaExceeded, FileTooLarge, StoredFileNotFound
from gateway.store.database import Store, utc_now
from gateway.store.models import FileChunk, FileRow

CHUNK_BYTES = 256 * 1024  # SQLite writes a chunk within about a millisecond, in which nothing else runs
CHUNKS_PER_DELETE = 16
UNFINISHED_TTL = timedelta(hours=1)  # a file is given up if no chunk has been written for so long
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileLimits:
    """The largest size of a file, the largest size of all files of an owner, and the time for which files are kept."""

    max_bytes: int
    max_total_bytes: int
    ttl: timedelta


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Everything about a file but its content."""

    id: str
    filename: str
    purpose: str
    content_type: str
    size: int
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class FileQuery:
    """The files to list: those after (or before) the file with this id in the order of the list."""

    purpose: str | None = None
    limit: int = 100
    is_ascending: bool = False
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class FilePage:
    """A page of the list. `has_more` says whether more files follow in the direction that was asked for."""

    files: tuple[StoredFile, ...]
    has_more: bool


class Files:
    """The tables of files and their chunks. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store, limits: FileLimits) -> None:
        self._store = store
        self.limits = limits

    def create(
        self,
        owner: str,
        filename: str,
        purpose: str,
        content_type: str,
        data: bytes | Iterable[bytes],
        *,
        ttl: timedelta | None = None,
        is_limited: bool = True,
    ) -> StoredFile:
        """Store a file whose content is at hand. `ttl` can only shorten the time for which it is kept.

        Raises FileTooLarge and FileQuotaExceeded, unless `is_limited` is False: results of the gateway itself must
        not be lost because the owner has too many files.
        """
        with self.begin(owner, is_limited=is_limited) as upload:
            for part in [data] if isinstance(data, bytes) else data:
                upload.write(part)
            return upload.finish(filename, purpose, content_type, ttl)

    @contextmanager
    def begin(self, owner: str, *, is_limited: bool = True) -> Iterator["FileUpload"]:
        """Begin a file whose content is still to come. It is deleted again if the block raises."""
        if is_limited and not self.limits.max_total_bytes:
            raise FileQuotaExceeded("This gateway stores no files.")
        now, file_id = utc_now(), f"file-{secrets.token_hex(16)}"  # AI SDK recognizes file ids by this prefix
        row = {
            "id": file_id,
            "owner": owner,
            "filename": "",
            "purpose": "",
            "content_type": "",
            "size": 0,
            "is_complete": False,
            "created_at": now,
            "expires_at": now + UNFINISHED_TTL,
        }
        self._store.write_single(lambda db: FileRow.insert(**row).execute(db))
        try:
            yield FileUpload(self, self._store, owner, file_id, is_limited)
        except BaseException:
            self.purge(file_id)
            raise

    def check_size(self, size: int) -> None:
        """Raise FileTooLarge if a file may not have this size."""
        if size > self.limits.max_bytes:
            megabytes = self.limits.max_bytes // MEBIBYTE
            raise FileTooLarge(f"The file is larger than {megabytes} MB. Send a smaller one.", param="file")

    def get(self, owner: str, file_id: str) -> StoredFile:
        """Return a file without its content. Raise StoredFileNotFound."""
        query = FileRow.select().where(_visible(owner), FileRow.id == file_id)
        row = self._store.read(query.first)
        if row is None:
            raise file_not_found(file_id)
        return _to_file(row)

    def find_all(self, owner: str, file_ids: Sequence[str]) -> tuple[StoredFile, ...]:
        """Return the files with these ids, the newest first. Missing ones are left out."""
        query = FileRow.select().where(_visible(owner), FileRow.id.in_(file_ids)).order_by(*_order(False))
        return self._store.read(lambda db: tuple(_to_file(row) for row in query.execute(db)))

    def read(self, owner: str, file_id: str) -> Iterator[bytes]:
        """Return the content of a file in chunks. Raise StoredFileNotFound at once, not at the first chunk.

        The iterator also raises it if the file is deleted before its last chunk is read.
        """
        self.get(owner, file_id)
        return self._read_chunks(owner, file_id)

    def list_page(self, owner: str, query: FileQuery) -> FilePage:
        """Return a page of files. Raise StoredFileNotFound if the file that it starts from does not exist."""
        is_backward = query.before is not None
        is_ascending = query.is_ascending is not is_backward
        found = FileRow.select().where(_visible(owner))
        if query.purpose is not None:
            found = found.where(FileRow.purpose == query.purpose)
        cursor = query.before or query.after
        if cursor is not None:
            found = found.where(_is_beyond(self.get(owner, cursor), is_ascending))
        found = found.order_by(*_order(is_ascending)).limit(query.limit + 1)
        rows = self._store.read(lambda db: [_to_file(row) for row in found.execute(db)])
        page = rows[: query.limit]
        return FilePage(tuple(reversed(page) if is_backward else page), len(rows) > query.limit)

    def delete(self, owner: str, file_id: str) -> None:
        """Delete a file. Raise StoredFileNotFound."""
        query = FileRow.update(expires_at=0.0).where(_visible(owner), FileRow.id == file_id)
        if not self._store.write_single(query.execute):
            raise file_not_found(file_id)
        self.purge(file_id)

    def delete_expired(self) -> int:
        """Delete expired files and return their number. Several processes may do so at once."""
        query = FileRow.select(FileRow.id).where(FileRow.expires_at <= utc_now())
        expired = self._store.read(lambda db: [row.id for row in query.execute(db)])
        for file_id in expired:
            self.purge(file_id)
        return len(expired)

    def purge(self, file_id: str) -> None:
        """Delete a file that clients no longer see: its chunks a few at a time, and then its row."""
        chunks = FileChunk.select(FileChunk.id).where(FileChunk.file == file_id).limit(CHUNKS_PER_DELETE)
        deletion = FileChunk.delete().where(FileChunk.id.in_(chunks))
        while self._store.write_single(deletion.execute):
            gevent.sleep(0)
        self._store.write_single(FileRow.delete().where(FileRow.id == file_id).execute)

    def _read_chunks(self, owner: str, file_id: str) -> Iterator[bytes]:
        remaining, position = self.get(owner, file_id).size, 0
        while remaining:
            query = FileChunk.select(FileChunk.data).where(
                FileChunk.file == file_id, FileChunk.position == position
            )
            chunk = self._store.read(query.first)
            if chunk is None:
                raise file_not_found(file_id)
            yield bytes(chunk.data)
            gevent.sleep(0)
            remaining, position = remaining - len(chunk.data), position + 1


class FileUpload:
    """A file that is being written. It is invisible until `finish`, and disappears if nothing is written for long."""

    def __init__(self, files: Files, store: Store, owner: str, file_id: str, is_limited: bool) -> None:
        self._files = files
        self._store = store
        self.id = file_id
        self._owner = owner
        self._is_limited = is_limited
        self._buffer = bytearray()
        self._chunks = 0
        self.size = 0

    def write(self, data: bytes) -> int:
        """Add content. Raise FileTooLarge or FileQuotaExceeded as soon as there is too much of it."""
        self.size += len(data)
        if self._is_limited:
            self._files.check_size(self.size)
        for start in range(0, len(data), CHUNK_BYTES):
            self._buffer += data[start : start + CHUNK_BYTES]
            if len(self._buffer) >= CHUNK_BYTES:
                self._store_chunk(bytes(self._buffer[:CHUNK_BYTES]))
                del self._buffer[:CHUNK_BYTES]
        return len(data)

    def finish(
        self, filename: str, purpose: str, content_type: str, ttl: timedelta | None = None
    ) -> StoredFile:
        """Make the file visible and return it. Raise StoredFileNotFound if it has been idle for too long."""
        if self._buffer:
            self._store_chunk(bytes(self._buffer))
            self._buffer.clear()
        now, longest = utc_now(), self._files.limits.ttl
        change = {
            "filename": filename,
            "purpose": purpose,
            "content_type": content_type,
            "is_complete": True,
            "created_at": now,
            "expires_at": now + min(ttl or longest, longest),
        }
        query = FileRow.update(**change).where(FileRow.id == self.id)
        self._store.write_single(query.execute)
        return self._files.get(self._owner, self.id)

    def _store_chunk(self, data: bytes) -> None:
        """Write a chunk. The size of unfinished files counts, too, so that parallel uploads cannot exceed the quota."""
        position = self._chunks
        growth = {"size": FileRow.size + len(data), "expires_at": utc_now() + UNFINISHED_TTL}

        def work(db: Any) -> None:
            if not FileRow.update(**growth).where(FileRow.id == self.id).execute(db):
                raise file_not_found(self.id)
            if self._is_limited:
                self._check_quota(db)
            FileChunk.insert(file=self.id, position=position, data=data).execute(db)

        self._store.write(work)
        self._chunks += 1
        gevent.sleep(0)

    def _check_quota(self, db: Any) -> None:
        is_own = (FileRow.owner == self._owner) & (FileRow.expires_at > utc_now())
        total = FileRow.select(fn.SUM(FileRow.size)).where(is_own).scalar(db) or 0
        limit = self._files.limits.max_total_bytes
        if total > limit:
            raise FileQuotaExceeded(
                f"The files of this key would take more than {limit // MEBIBYTE} MB. Delete some of them.",
                param="file",
            )


def file_not_found(file_id: str) -> StoredFileNotFound:
    """Return the error for an id that does not exist."""
    return StoredFileNotFound(f"There is no file with the id '{file_id[:80]}'.", param="file_id")


def _visible(owner: str) -> Any:
    return (FileRow.owner == owner) & FileRow.is_complete & (FileRow.expires_at > utc_now())


def _order(is_ascending: bool) -> list[Any]:
    return [field.asc() if is_ascending else field.desc() for field in (FileRow.created_at, FileRow.id)]


def _is_beyond(cursor: StoredFile, is_ascending: bool) -> Any:
    """Return the condition for files that stand after the cursor in this order."""
    moment, tie = FileRow.created_at, FileRow.id
    is_tie = moment == cursor.created_at
    if is_ascending:
        return (moment > cursor.created_at) | (is_tie & (tie > cursor.id))
    return (moment < cursor.created_at) | (is_tie & (tie < cursor.id))


def _to_file(row: FileRow) -> StoredFile:
    return StoredFile(
        row.id, row.filename, row.purpose, row.content_type, row.size, row.created_at, row.expires_at
    )
