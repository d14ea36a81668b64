"""Clients' files: their content, owners, limits, pages and deletion."""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import FileQuotaExceeded, FileTooLarge, StoredFileNotFound
from gateway.store import files as files_module
from gateway.store.database import Store
from gateway.store.files import CHUNK_BYTES, FileLimits, FileQuery, Files, StoredFile
from gateway.store.models import FileChunk, FileRow

OWN, OTHER = "me", "you"
LIMITS = FileLimits(max_bytes=1_000_000, max_total_bytes=1_500_000, ttl=timedelta(days=1))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/gateway.db", busy_seconds=0.01, pauses=(0.01,))
    store.open()
    yield store
    store.close()


@pytest.fixture
def files(store: Store) -> Files:
    return Files(store, LIMITS)


def add(
    files: Files, data: bytes = b"x", purpose: str = "user_data", owner: str = OWN, **more: Any
) -> StoredFile:
    return files.create(owner, "a.txt", purpose, "text/plain", data, **more)


def count_rows(store: Store) -> tuple[int, int]:
    """Return the numbers of files and chunks in the database, visible or not."""
    return store.read(lambda db: (FileRow.select().count(db), FileChunk.select().count(db)))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES - 1])
def test_content_is_read_back_in_chunks_of_bounded_size(files: Files, size: int) -> None:
    content = os.urandom(size)
    stored = add(files, content)
    chunks = list(files.read(OWN, stored.id))
    assert b"".join(chunks) == content
    assert all(len(chunk) <= CHUNK_BYTES for chunk in chunks)
    assert files.get(OWN, stored.id) == stored
    assert (stored.size, stored.filename, stored.content_type) == (size, "a.txt", "text/plain")


def test_small_parts_become_few_chunks(files: Files, store: Store) -> None:
    stored = files.create(OWN, "a", "batch", "text/plain", (b"ab" * 50 for _ in range(3000)))
    assert b"".join(files.read(OWN, stored.id)) == b"ab" * 150_000
    assert count_rows(store) == (1, 2)


def test_unfinished_file_is_invisible(files: Files) -> None:
    with files.begin(OWN) as upload:
        upload.write(b"x" * CHUNK_BYTES)
        assert files.list_page(OWN, FileQuery()).files == ()
        stored = upload.finish("a", "batch", "text/plain")
    assert files.list_page(OWN, FileQuery()).files == (stored,)


def test_other_owners_see_nothing(files: Files) -> None:
    stored = add(files)
    assert files.list_page(OTHER, FileQuery()).files == ()
    for call in (files.get, files.read, files.delete):
        with pytest.raises(StoredFileNotFound):
            call(OTHER, stored.id)
    assert list(files.read(OWN, stored.id)) == [b"x"]


def test_file_that_is_too_large_leaves_nothing_behind(files: Files, store: Store) -> None:
    with pytest.raises(FileTooLarge, match="larger than 0 MB"):
        add(files, b"x" * 1_000_001)
    assert count_rows(store) == (0, 0)


def test_quota_counts_all_files_of_the_owner_also_unfinished_ones(files: Files, store: Store) -> None:
    with files.begin(OWN) as upload:
        upload.write(b"x" * 900_000)
        with pytest.raises(FileQuotaExceeded):
            add(files, b"x" * 900_000)
        add(files, b"x" * 900_000, owner=OTHER)
    assert count_rows(store)[0] == 2


def test_upload_that_fails_leaves_nothing_behind(files: Files, store: Store) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 600_000
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        files.create(OWN, "a", "batch", "text/plain", broken())
    assert count_rows(store) == (0, 0)


def test_results_of_the_gateway_are_stored_beyond_the_limits(files: Files) -> None:
    assert add(files, b"x" * 2_000_000, is_limited=False).size == 2_000_000
    with pytest.raises(FileQuotaExceeded):
        add(files)


def test_quota_of_zero_turns_uploads_off(store: Store) -> None:
    files = Files(store, replace(LIMITS, max_total_bytes=0))
    with pytest.raises(FileQuotaExceeded, match="stores no files"):
        add(files)
    assert count_rows(store) == (0, 0)


def test_deleted_file_is_gone_with_its_chunks(files: Files, store: Store) -> None:
    stored = add(files, b"x" * 900_000)
    files.delete(OWN, stored.id)
    assert count_rows(store) == (0, 0)
    with pytest.raises(StoredFileNotFound, match=stored.id):
        files.get(OWN, stored.id)


def test_file_deleted_while_it_is_read_ends_with_an_error(files: Files) -> None:
    stored = add(files, b"x" * 900_000)
    chunks = files.read(OWN, stored.id)
    next(chunks)
    files.delete(OWN, stored.id)
    with pytest.raises(StoredFileNotFound):
        next(chunks)


def test_expired_files_are_missing_and_then_swept(files: Files, store: Store, monkeypatch: Any) -> None:
    expired = add(files, b"x" * 900_000)
    store.write(lambda db: FileRow.update(expires_at=1.0).where(FileRow.id == expired.id).execute(db))
    with pytest.raises(StoredFileNotFound):
        files.get(OWN, expired.id)
    monkeypatch.setattr(files_module, "UNFINISHED_TTL", timedelta(seconds=-1))
    with files.begin(OWN) as upload:
        upload.write(b"x" * 600_000)
    kept = add(files, ttl=timedelta(days=99))
    assert kept.expires_at - kept.created_at == LIMITS.ttl
    assert files.list_page(OWN, FileQuery()).files == (kept,)
    assert files.delete_expired() == 2
    assert count_rows(store) == (1, 1)


def list_all(files: Files, query: FileQuery) -> list[tuple[list[int], bool]]:
    """Return the pages of a list, as the sizes of the files and whether more follow, going on after each page."""
    pages = []
    while True:
        page = files.list_page(OWN, query)
        pages.append(([file.size for file in page.files], page.has_more))
        if not page.has_more:
            return pages
        is_backward = query.before is not None
        edge = page.files[0 if is_backward else -1].id
        query = replace(query, before=edge) if is_backward else replace(query, after=edge)


def test_pages_lead_through_the_whole_list_in_both_orders(files: Files) -> None:
    stored = [add(files, b"x" * size) for size in range(1, 6)]
    assert list_all(files, FileQuery(limit=2)) == [([5, 4], True), ([3, 2], True), ([1], False)]
    assert list_all(files, FileQuery(limit=3, is_ascending=True)) == [([1, 2, 3], True), ([4, 5], False)]
    assert list_all(files, FileQuery(limit=2, before=stored[0].id)) == [([3, 2], True), ([5, 4], False)]
    with pytest.raises(StoredFileNotFound):
        files.list_page(OWN, FileQuery(after="file-none"))


def test_list_of_one_purpose(files: Files) -> None:
    add(files)
    stored = add(files, purpose="batch")
    assert files.list_page(OWN, FileQuery(purpose="batch")).files == (stored,)
