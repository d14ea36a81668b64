"""Files of projects: up and down, whole or not at all, and never outside the project."""

from __future__ import annotations

import contextlib
import http.client
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2 as httpx
import pytest

from gateway.errors import InvalidRequest, ProjectFileNotFound, ProjectTooLarge, StoreError
from gateway.store import project_folders as folders_module
from gateway.store.project_folders import ProjectFolders
from tests.support.gateway import Gateway

MOST = 1000


# Over HTTP


@pytest.fixture
def files_url(gateway: Gateway) -> str:
    """The files of a fresh project."""
    made = gateway.api.post("/v1/projects", json={"name": "x"}).json()
    return f"/v1/projects/{made['id']}/files"


def problem(answer: httpx.Response) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


@pytest.mark.parametrize("name", ["a.txt", "src/deep/a.py", "Übersicht 2.md", "100%.txt", "a+b&c=d#e.txt"])
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_what_goes_up_comes_down(gateway: Gateway, files_url: str, name: str, method: str) -> None:
    content = bytes(range(256)) * 1000
    up = gateway.api.request(method, f"{files_url}/{quote(name)}", content=content)
    assert up.status_code == 200, up.text
    assert up.json().keys() == {"object", "name", "bytes", "modified_at"}
    assert (up.json()["name"], up.json()["bytes"]) == (name, len(content))
    down = gateway.api.get(f"{files_url}/{quote(name)}")
    assert down.content == content
    assert down.headers["content-length"] == str(len(content))
    assert gateway.api.get(files_url).json()["data"] == [up.json()]


def test_a_download_is_nothing_for_a_browser_to_show(gateway: Gateway, files_url: str) -> None:
    gateway.api.put(f"{files_url}/x/%C3%BC.html", content="<script>alert(1)</script>")
    down = gateway.api.get(f"{files_url}/x/%C3%BC.html")
    assert down.headers["content-type"] == "application/octet-stream"
    assert down.headers["x-content-type-options"] == "nosniff"
    assert down.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%BC.html"


def test_a_form_uploads_as_openai_s_files_do(gateway: Gateway, files_url: str) -> None:
    def post(name: str, content: bytes, **data: str) -> httpx.Response:
        return gateway.api.post(files_url, files={"file": (name, content)}, data=data)

    assert post("a.txt", b"one", purpose="assistants").json()["name"] == "a.txt"
    assert post("ignored.txt", b"two", path="sub/b.txt").json()["name"] == "sub/b.txt"
    assert gateway.api.get(f"{files_url}/sub/b.txt").content == b"two"
    assert problem(gateway.api.post(files_url, content=b"no form")) == (400, "invalid_request", "file")
    assert problem(post("../x", b"")) == (400, "invalid_request", "file")
    assert problem(post("x", b"", path="../x")) == (400, "invalid_request", "path")


def test_chunks_without_a_length_are_taken(gateway: Gateway, files_url: str) -> None:
    def parts() -> Iterator[bytes]:
        yield b"one "
        yield b"two"

    assert gateway.api.put(f"{files_url}/a", content=parts()).json()["bytes"] == 7


def test_a_file_is_replaced_and_deleted(gateway: Gateway, files_url: str) -> None:
    gateway.api.put(f"{files_url}/a", content="one")
    gateway.api.put(f"{files_url}/a", content="two")
    assert gateway.api.get(f"{files_url}/a").text == "two"
    gone = gateway.api.delete(f"{files_url}/a").json()
    assert gone == {"object": "project.file", "name": "a", "deleted": True}
    for method in ("GET", "DELETE"):
        assert problem(gateway.api.request(method, f"{files_url}/a")) == (404, "file_not_found", "path")


def test_files_come_in_pages(gateway: Gateway, files_url: str) -> None:
    for name in ("b", "a/x", "c"):
        gateway.api.put(f"{files_url}/{name}", content="x")
    page = gateway.api.get(files_url, params={"per_page": 2, "page": 2}).json()
    assert [file["name"] for file in page["data"]] == ["c"]
    assert page["pagination"]["total_items"] == 3


TRICKS = [
    "..", "../x", "a/../../x", "a/./b", "%00", "a%1Bb", "a%5Cb", "%EF%BC%8E%EF%BC%8E", "e%CC%81", "CON", "a/nul.txt",
    "a.", "%20a", "x" * 256, "/".join("abcdefgh" * 5), "%FF", "..%2Fx", "%2e%2e/x",
]  # fmt: skip


@pytest.mark.parametrize("name", TRICKS)
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_a_path_that_could_lead_elsewhere_is_refused(
    gateway: Gateway, files_url: str, name: str, method: str
) -> None:
    parts = urlsplit(gateway.url)
    assert parts.hostname
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)  # sends paths as they are
    try:
        connection.request(method, f"{files_url}/{name}", body=b"x" if method == "PUT" else None)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    assert answer.status == 400, body
    assert b'"param":"path"' in body
    assert gateway.api.get(files_url).json()["data"] == []


def test_a_file_larger_than_a_project_is_refused_before_it_comes(gateway: Gateway, files_url: str) -> None:
    parts = urlsplit(gateway.url)
    assert parts.hostname
    for path, kind in ((f"{files_url}/a", "text/plain"), (files_url, "multipart/form-data; boundary=x")):
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        try:
            connection.putrequest("POST", path)
            connection.putheader("Content-Length", str(2_000_000_000))
            connection.putheader("Content-Type", kind)
            connection.endheaders()
            answer = connection.getresponse()
            assert answer.status == 413
            assert b"project_too_large" in answer.read()
        finally:
            connection.close()


# The folders themselves


@pytest.fixture
def folders(tmp_path: Path) -> ProjectFolders:
    made = ProjectFolders(tmp_path / "root", MOST)
    made.create("p")
    return made


@pytest.fixture
def inside(folders: ProjectFolders, tmp_path: Path) -> Path:
    return tmp_path / "root" / "p"


def write(folders: ProjectFolders, path: str, size: int) -> None:
    folders.write_file("p", path.split("/"), iter([b"x" * size]))


def read(folders: ProjectFolders, path: str) -> bytes:
    file, _ = folders.open_file("p", path.split("/"))
    with file:
        return file.read()


def names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def leftovers(root: Path) -> list[str]:
    return names(root / ".uploads")


def test_a_project_is_never_larger_than_its_limit(folders: ProjectFolders, inside: Path) -> None:
    write(folders, "a", 600)
    write(folders, "sub/b", 400)
    with pytest.raises(ProjectTooLarge):
        write(folders, "c", 1)
    with pytest.raises(ProjectTooLarge):
        write(folders, "a", 601)
    write(folders, "a", 600)  # what is replaced does not count
    assert folders.count_bytes("p") == MOST
    assert sorted(file.name for file in folders.list_files("p")) == ["a", "sub/b"]
    assert leftovers(inside.parent) == []


def test_the_limit_ends_an_upload_that_never_ends(folders: ProjectFolders, inside: Path) -> None:
    def forever() -> Iterator[bytes]:
        while True:
            yield b"x" * 100

    with pytest.raises(ProjectTooLarge):
        folders.write_file("p", ["a"], forever())
    assert names(inside) == leftovers(inside.parent) == []


def test_two_uploads_at_once_share_the_limit(folders: ProjectFolders, inside: Path) -> None:
    def slow() -> Iterator[bytes]:
        yield b"x" * 600
        write(folders, "b", 600)

    with pytest.raises(ProjectTooLarge):
        folders.write_file("p", ["a"], slow())
    assert names(inside) == ["b"]


def test_an_upload_that_breaks_off_leaves_what_was_there(folders: ProjectFolders, inside: Path) -> None:
    write(folders, "a", 3)

    def broken() -> Iterator[bytes]:
        yield b"new"
        raise ConnectionResetError

    with pytest.raises(StoreError):
        folders.write_file("p", ["a"], broken())
    assert read(folders, "a") == b"xxx"
    assert leftovers(inside.parent) == []


@pytest.fixture
def trap(inside: Path, tmp_path: Path) -> Path:
    """A folder outside with links to it in the project."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("secret")
    (inside / "folder").symlink_to(outside)
    (inside / "up").symlink_to("../..")
    (inside / "file").symlink_to(outside / "precious")
    (inside / "dangling").symlink_to(outside / "new")
    (inside / "plain").write_text("mine")
    return outside


LINKED = ["folder/precious", "up/outside/precious", "file", "dangling", "plain/x"]


@pytest.mark.parametrize("path", LINKED)
def test_links_are_not_read_or_deleted(folders: ProjectFolders, trap: Path, path: str) -> None:
    with pytest.raises(ProjectFileNotFound):
        read(folders, path)
    with pytest.raises(ProjectFileNotFound):
        folders.delete_file("p", path.split("/"))
    assert (trap / "precious").read_text() == "secret"


@pytest.mark.parametrize("path", ["folder/new", "up/new", "plain/x", "folder/sub/new"])
def test_nothing_is_written_through_a_link(folders: ProjectFolders, trap: Path, path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        write(folders, path, 1)
    assert caught.value.param == "path"
    assert [entry.name for entry in trap.iterdir()] == ["precious"]


@pytest.mark.parametrize("path", ["file", "dangling"])
def test_a_link_is_replaced_by_the_file(folders: ProjectFolders, trap: Path, path: str) -> None:
    write(folders, path, 4)
    assert read(folders, path) == b"xxxx"
    assert (trap / "precious").read_text() == "secret"
    assert [entry.name for entry in trap.iterdir()] == ["precious"]


def test_links_pipes_and_unfit_names_are_not_listed(
    folders: ProjectFolders, inside: Path, trap: Path
) -> None:
    os.mkfifo(inside / "pipe")
    (inside / "a:b").write_text("x")
    (inside / "sub").mkdir()
    (inside / "sub/x").write_text("y")
    assert [file.name for file in folders.list_files("p")] == ["plain", "sub/x"]
    with pytest.raises(ProjectFileNotFound):
        read(folders, "pipe")


def test_a_folder_is_no_file(folders: ProjectFolders) -> None:
    write(folders, "sub/a", 1)
    with pytest.raises(ProjectFileNotFound):
        read(folders, "sub")
    with pytest.raises(ProjectFileNotFound):
        folders.delete_file("p", ["sub"])
    with pytest.raises(InvalidRequest):
        write(folders, "sub", 1)


def test_no_descriptor_is_left_open(folders: ProjectFolders, trap: Path) -> None:
    before = len(names(Path("/proc/self/fd")))
    for path in [*LINKED, "sub/a", "sub", "none"]:
        for action in (read, lambda f, p: write(f, p, 1), lambda f, p: f.delete_file("p", p.split("/"))):
            with contextlib.suppress(InvalidRequest, ProjectFileNotFound):
                action(folders, path)
    folders.list_files("p")
    assert len(names(Path("/proc/self/fd"))) == before


def test_instructions_are_the_project_s_own(folders: ProjectFolders, inside: Path, trap: Path) -> None:
    assert folders.read_instructions("p") == ""
    (inside / "CLAUDE.md").symlink_to(trap / "precious")
    assert folders.read_instructions("p") == ""
    (inside / "CLAUDE.md").unlink()
    (inside / "CLAUDE.md").write_bytes("Singe fröhlich \xff".encode("latin-1"))
    assert folders.read_instructions("p").startswith("Singe fr")
    (inside / "CLAUDE.md").write_bytes(b"x" * (folders_module.MAX_INSTRUCTIONS_BYTES + 1))
    with pytest.raises(InvalidRequest):
        folders.read_instructions("p")


def test_deep_folders_end_no_walk(folders: ProjectFolders, inside: Path) -> None:
    folder = inside
    for _ in range(folders_module.MAX_DEPTH + 10):
        folder = folder / "d"
        folder.mkdir()
    (folder / "x").write_text("x")
    assert folders.list_files("p") == []
    folders.remove("p")
    assert not inside.exists()


def test_a_lost_folder_is_an_error_of_the_store(folders: ProjectFolders, inside: Path) -> None:
    inside.rmdir()
    for ask in (folders.locate, folders.list_files, folders.count_bytes):
        call: Any = ask
        with pytest.raises(StoreError):
            call("p")
    folders.remove("p")
