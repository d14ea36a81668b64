"""The folders of projects: size limits, interrupted uploads, and links that lead outside.

tests/http/test_project_files.py covers the same files over HTTP.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import InvalidRequest, ProjectFileNotFound, ProjectTooLarge, StoreError
from gateway.store import project_folders as folders_module
from gateway.store.project_folders import ProjectFolders

MAX_BYTES = 1000


@pytest.fixture
def folders(tmp_path: Path) -> ProjectFolders:
    """Return the folders below a root, with one project "p"."""
    folders = ProjectFolders(tmp_path / "root", MAX_BYTES)
    folders.create("p")
    return folders


@pytest.fixture
def project_folder(folders: ProjectFolders, tmp_path: Path) -> Path:
    return tmp_path / "root" / "p"


def write(folders: ProjectFolders, path: str, size: int) -> None:
    """Write a file of `size` bytes."""
    folders.write_file("p", path.split("/"), iter([b"x" * size]))


def read(folders: ProjectFolders, path: str) -> bytes:
    """Return the content of a file."""
    file, _ = folders.open_file("p", path.split("/"))
    with file:
        return file.read()


def names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def leftovers(root: Path) -> list[str]:
    """Return the names of temporary files of uploads."""
    return names(root / ".uploads")


def test_project_never_exceeds_its_size_limit(folders: ProjectFolders, project_folder: Path) -> None:
    write(folders, "a", 600)
    write(folders, "sub/b", 400)
    with pytest.raises(ProjectTooLarge):
        write(folders, "c", 1)
    with pytest.raises(ProjectTooLarge):
        write(folders, "a", 601)
    write(folders, "a", 600)  # the replaced file does not count
    assert folders.count_bytes("p") == MAX_BYTES
    assert sorted(file.name for file in folders.list_files("p")) == ["a", "sub/b"]
    assert leftovers(project_folder.parent) == []


def test_size_limit_ends_an_endless_upload(folders: ProjectFolders, project_folder: Path) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 100

    with pytest.raises(ProjectTooLarge):
        folders.write_file("p", ["a"], endless())
    assert names(project_folder) == leftovers(project_folder.parent) == []


def test_concurrent_uploads_share_the_size_limit(folders: ProjectFolders, project_folder: Path) -> None:
    def slow() -> Iterator[bytes]:
        yield b"x" * 600
        write(folders, "b", 600)

    with pytest.raises(ProjectTooLarge):
        folders.write_file("p", ["a"], slow())
    assert names(project_folder) == ["b"]


def test_interrupted_upload_keeps_the_old_file(folders: ProjectFolders, project_folder: Path) -> None:
    write(folders, "a", 3)

    def broken() -> Iterator[bytes]:
        yield b"new"
        raise ConnectionResetError

    with pytest.raises(StoreError):
        folders.write_file("p", ["a"], broken())
    assert read(folders, "a") == b"xxx"
    assert leftovers(project_folder.parent) == []


@pytest.fixture
def outside_folder(project_folder: Path, tmp_path: Path) -> Path:
    """Return a folder outside the project; links in the project lead to it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("secret")
    (project_folder / "folder").symlink_to(outside)
    (project_folder / "up").symlink_to("../..")
    (project_folder / "file").symlink_to(outside / "precious")
    (project_folder / "dangling").symlink_to(outside / "new")
    (project_folder / "plain").write_text("mine")
    return outside


LINKED = ["folder/precious", "up/outside/precious", "file", "dangling", "plain/x"]


@pytest.mark.parametrize("path", LINKED)
def test_links_are_neither_read_nor_deleted(folders: ProjectFolders, outside_folder: Path, path: str) -> None:
    with pytest.raises(ProjectFileNotFound):
        read(folders, path)
    with pytest.raises(ProjectFileNotFound):
        folders.delete_file("p", path.split("/"))
    assert (outside_folder / "precious").read_text() == "secret"


@pytest.mark.parametrize("path", ["folder/new", "up/new", "plain/x", "folder/sub/new"])
def test_nothing_is_written_through_a_link(folders: ProjectFolders, outside_folder: Path, path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        write(folders, path, 1)
    assert caught.value.param == "path"
    assert [entry.name for entry in outside_folder.iterdir()] == ["precious"]


@pytest.mark.parametrize("path", ["file", "dangling"])
def test_upload_replaces_a_link_by_the_file(folders: ProjectFolders, outside_folder: Path, path: str) -> None:
    write(folders, path, 4)
    assert read(folders, path) == b"xxxx"
    assert (outside_folder / "precious").read_text() == "secret"
    assert [entry.name for entry in outside_folder.iterdir()] == ["precious"]


def test_links_pipes_and_invalid_names_are_not_listed(
    folders: ProjectFolders, project_folder: Path, outside_folder: Path
) -> None:
    os.mkfifo(project_folder / "pipe")
    (project_folder / "a:b").write_text("x")
    (project_folder / "sub").mkdir()
    (project_folder / "sub/x").write_text("y")
    assert [file.name for file in folders.list_files("p")] == ["plain", "sub/x"]
    with pytest.raises(ProjectFileNotFound):
        read(folders, "pipe")


def test_folder_is_not_a_file(folders: ProjectFolders) -> None:
    write(folders, "sub/a", 1)
    with pytest.raises(ProjectFileNotFound):
        read(folders, "sub")
    with pytest.raises(ProjectFileNotFound):
        folders.delete_file("p", ["sub"])
    with pytest.raises(InvalidRequest):
        write(folders, "sub", 1)


def test_no_descriptor_is_left_open(folders: ProjectFolders, outside_folder: Path) -> None:
    before = len(names(Path("/proc/self/fd")))
    for path in [*LINKED, "sub/a", "sub", "none"]:
        for action in (read, lambda f, p: write(f, p, 1), lambda f, p: f.delete_file("p", p.split("/"))):
            with contextlib.suppress(InvalidRequest, ProjectFileNotFound):
                action(folders, path)
    folders.list_files("p")
    assert len(names(Path("/proc/self/fd"))) == before


def test_instructions_are_read_from_the_project_only_and_are_limited(
    folders: ProjectFolders, project_folder: Path, outside_folder: Path
) -> None:
    assert folders.read_instructions("p") == ""
    (project_folder / "CLAUDE.md").symlink_to(outside_folder / "precious")
    assert folders.read_instructions("p") == ""
    (project_folder / "CLAUDE.md").unlink()
    (project_folder / "CLAUDE.md").write_bytes("Singe fröhlich \xff".encode("latin-1"))
    assert folders.read_instructions("p").startswith("Singe fr")
    (project_folder / "CLAUDE.md").write_bytes(b"x" * (folders_module.MAX_INSTRUCTIONS_BYTES + 1))
    with pytest.raises(InvalidRequest):
        folders.read_instructions("p")


def test_listing_ignores_folders_that_are_too_deep(folders: ProjectFolders, project_folder: Path) -> None:
    folder = project_folder
    for _ in range(folders_module.MAX_DEPTH + 10):
        folder = folder / "d"
        folder.mkdir()
    (folder / "x").write_text("x")
    assert folders.list_files("p") == []
    folders.remove("p")
    assert not project_folder.exists()


def test_missing_project_folder_is_a_store_error(folders: ProjectFolders, project_folder: Path) -> None:
    project_folder.rmdir()
    for ask in (folders.locate, folders.list_files, folders.count_bytes):
        call: Any = ask
        with pytest.raises(StoreError):
            call("p")
    folders.remove("p")
