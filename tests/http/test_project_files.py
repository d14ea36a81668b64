"""Files of projects over HTTP: upload, download, list and delete.

tests/ops/test_project_uploads.py covers what only a real server receives: odd paths, chunks and oversized bodies.
"""

from pathlib import Path
from urllib.parse import quote

import httpx2 as httpx
import pytest

from tests.support.api_client import Api, body_of, error_of
from tests.support.apps import MakeApi


@pytest.fixture
def api(make_api: MakeApi, tmp_path: Path) -> Api:
    return make_api(project_root=tmp_path / "projects")


@pytest.fixture
def files_url(api: Api) -> str:
    """Return the URL of the files of a new project."""
    return f"/v1/projects/{api.create_project()['id']}/files"


@pytest.mark.parametrize("name", ["a.txt", "src/deep/a.py", "Übersicht 2.md", "100%.txt", "a+b&c=d#e.txt"])
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_uploaded_file_is_listed_and_downloaded_unchanged(
    api: Api, files_url: str, name: str, method: str
) -> None:
    content = bytes(range(256)) * 1000
    uploaded = body_of(api.request(method, f"{files_url}/{quote(name)}", content=content))
    assert uploaded.keys() == {"object", "name", "bytes", "modified_at"}
    assert (uploaded["name"], uploaded["bytes"]) == (name, len(content))
    downloaded = api.get(f"{files_url}/{quote(name)}")
    assert downloaded.content == content
    assert downloaded.headers["content-length"] == str(len(content))
    assert body_of(api.get(files_url))["data"] == [uploaded]


def test_browsers_save_downloads_and_never_show_them(api: Api, files_url: str) -> None:
    api.put(f"{files_url}/x/%C3%BC.html", content="<script>alert(1)</script>")
    headers = api.get(f"{files_url}/x/%C3%BC.html").headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%BC.html"


def test_form_uploads_a_file_like_openais_files_api(api: Api, files_url: str) -> None:
    def post(name: str, content: bytes, **fields: str) -> httpx.Response:
        return api.post(files_url, files={"file": (name, content)}, data=fields)

    assert body_of(post("a.txt", b"one", purpose="assistants"))["name"] == "a.txt"
    assert body_of(post("ignored.txt", b"two", path="sub/b.txt"))["name"] == "sub/b.txt"
    assert api.get(f"{files_url}/sub/b.txt").content == b"two"
    assert error_of(api.post(files_url, content=b"no form"))[:3] == (400, "invalid_request", "file")
    assert error_of(post("../x", b""))[:3] == (400, "invalid_request", "file")
    assert error_of(post("x", b"", path="../x"))[:3] == (400, "invalid_request", "path")


def test_file_is_replaced_and_deleted(api: Api, files_url: str) -> None:
    api.put(f"{files_url}/a", content="one")
    api.put(f"{files_url}/a", content="two")
    assert api.get(f"{files_url}/a").text == "two"
    deleted = body_of(api.delete(f"{files_url}/a"))
    assert deleted == {"object": "project.file", "name": "a", "deleted": True}
    for method in ("GET", "DELETE"):
        assert error_of(api.request(method, f"{files_url}/a"))[:3] == (404, "file_not_found", "path")


def test_files_are_listed_in_pages(api: Api, files_url: str) -> None:
    for name in ("b", "a/x", "c"):
        api.put(f"{files_url}/{name}", content="x")
    page = body_of(api.get(files_url, params={"per_page": 2, "page": 2}))
    assert [file["name"] for file in page["data"]] == ["c"]
    assert page["pagination"]["total_items"] == 3
