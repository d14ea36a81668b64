"""`/v1/files` for clients of both APIs, over HTTP and with the SDKs."""

import io
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2 as httpx
import openai
import pytest

from tests.support.api_client import Api, Body, body_of, error_of
from tests.support.apps import MakeApi

ANTHROPIC = {"anthropic-version": "2023-06-01"}
CONTENT = bytes(range(256)) * 3000


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    return make_api(
        "one", require_auth=True, api_keys=("one", "two"), max_file_size_mb=1, max_files_size_mb=2
    )


def upload(api: Api, content: bytes = b"x", name: str = "a.txt", **fields: str) -> Body:
    return body_of(api.post("/v1/files", files={"file": (name, content)}, data=fields))


def openai_client(api: Api) -> openai.OpenAI:
    return openai.OpenAI(api_key="one", base_url="http://localhost/v1", http_client=api, max_retries=0)


def anthropic_client(api: Api) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="one", base_url="http://localhost", http_client=api, max_retries=0)


def test_openai_sdk_uploads_waits_lists_reads_and_deletes(api: Api) -> None:
    client = openai_client(api)
    after: Any = {"anchor": "created_at", "seconds": 7200}
    file = client.files.create(file=("Größe 1.bin", CONTENT), purpose="user_data", expires_after=after)
    assert (file.object, file.bytes, file.filename, file.purpose) == (
        "file",
        len(CONTENT),
        "Größe 1.bin",
        "user_data",
    )
    assert file.expires_at == file.created_at + 7200
    assert client.files.wait_for_processing(file.id).status == "processed"
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).read() == CONTENT
    others = [client.files.create(file=io.BytesIO(b"{}"), purpose="batch") for _ in range(3)]
    assert [found.id for found in client.files.list(limit=2)] == [one.id for one in (*others[::-1], file)]
    assert [found.id for found in client.files.list(purpose="user_data", order="asc")] == [file.id]
    deleted = client.files.delete(file.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (file.id, "file", True)
    with pytest.raises(openai.NotFoundError, match=file.id):
        client.files.retrieve(file.id)


@pytest.mark.parametrize("is_beta", [True, False])
def test_anthropic_sdk_uploads_lists_reads_and_deletes(api: Api, is_beta: bool) -> None:
    client = anthropic_client(api)
    files: Any = client.beta.files if is_beta else client.files
    file = files.upload(file=("a.pdf", CONTENT, "application/pdf"), expires_in_seconds=3600)
    assert (file.type, file.filename, file.mime_type) == ("file", "a.pdf", "application/pdf")
    assert (file.size_bytes, file.downloadable) == (len(CONTENT), True)
    assert (file.expires_at - file.created_at).total_seconds() == 3600
    assert files.retrieve_metadata(file.id) == file
    assert files.download(file.id).read() == CONTENT
    others = [files.upload(file=("b.txt", b"x")) for _ in range(3)]
    assert [found.id for found in files.list(limit=2)] == [one.id for one in (*others[::-1], file)]
    assert [found.id for found in files.list(ids=[file.id, "file-none"])] == [file.id]
    deleted = files.delete(file.id)
    assert (deleted.id, deleted.type) == (file.id, "file_deleted")
    with pytest.raises(anthropic.NotFoundError, match=file.id):
        files.retrieve_metadata(file.id)


def test_anthropic_clients_of_earlier_versions_page_by_ids(api: Api) -> None:
    ids = [upload(api)["id"] for _ in range(3)]
    headers = {"anthropic-beta": "files-api-2025-04-14"}

    def page(**query: Any) -> tuple[list[str], bool]:
        listed = body_of(api.get("/v1/files", params=query, headers=headers))
        found = [file["id"] for file in listed["data"]]
        assert (listed["first_id"], listed["last_id"]) == (found[0], found[-1])
        return found, listed["has_more"]

    assert page(limit=2) == ([ids[2], ids[1]], True)
    assert page(after_id=ids[1]) == ([ids[0]], False)
    assert page(before_id=ids[0], limit=1) == ([ids[1]], True)


def test_keys_do_not_see_each_others_files(api: Api) -> None:
    file, other = upload(api), api.with_key("two")
    assert body_of(other.get("/v1/files"))["data"] == []
    for method, path in [("GET", ""), ("GET", "/content"), ("DELETE", "")]:
        error = error_of(other.request(method, f"/v1/files/{file['id']}{path}"))
        assert error[:2] == (404, "file_not_found")
    assert api.with_key(None).get("/v1/files").status_code == 401


def test_file_and_all_files_of_a_key_are_limited(api: Api) -> None:
    assert error_of(api.post("/v1/files", files={"file": ("a", b"x" * 2_000_000)}))[:2] == (
        413,
        "file_too_large",
    )
    assert error_of(api.post("/v1/files", files={"file": ("a", b"x" * 1_048_577)}))[:2] == (
        413,
        "file_too_large",
    )
    for _ in range(2):
        upload(api, b"x" * 1_000_000)
    rejected = api.post("/v1/files", files={"file": ("a", b"x" * 1_000_000)}, headers=ANTHROPIC)
    assert rejected.status_code == 403
    assert rejected.json()["error"] == {
        "type": "permission_error",
        "message": "The files of this key would take more than 2 MB. Delete some of them.",
    }
    assert len(body_of(api.get("/v1/files"))["data"]) == 2
    upload(api.with_key("two"), b"x" * 1_000_000)


BAD_UPLOADS: list[tuple[Callable[[Api], httpx.Response], str]] = [
    (lambda api: api.post("/v1/files", json={"file": "x"}), "Expected a form"),
    (lambda api: api.post("/v1/files"), "Expected a form"),
    (lambda api: api.post("/v1/files", files={"purpose": (None, "batch")}), "Expected a form"),
    (lambda api: api.post("/v1/files", files={"other": ("a", b"x")}), "Expected a form"),
    (
        lambda api: api.post("/v1/files", files=[("file", ("a", b"x")), ("file", ("b", b"x"))]),
        "several files",
    ),
    (lambda api: api.post("/v1/files", files={"file": ("a" * 256, b"x")}), "255 characters"),
    (lambda api: api.post("/v1/files", files={"file": ("a", b"x")}, data={"x": "y" * 600_000}), "exceed"),
    (
        lambda api: api.post(
            "/v1/files",
            content=b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nxy',
            headers={"content-type": "multipart/form-data; boundary=b"},
        ),
        "not a complete form",
    ),
    (
        lambda api: api.post(
            "/v1/files",
            files={"file": ("a", b"x")},
            data={"expires_after[seconds]": "60", "purpose": "batch"},
        ),
        "3600 or more",
    ),
]


@pytest.mark.parametrize(("send", "problem"), BAD_UPLOADS)
def test_bad_upload_is_rejected_and_leaves_no_file(
    api: Api, send: Callable[[Api], httpx.Response], problem: str
) -> None:
    error = error_of(send(api))
    assert error.status == 400
    assert problem in error.message
    assert body_of(api.get("/v1/files"))["data"] == []


@pytest.mark.parametrize(
    ("query", "param"), [("limit=0", "limit"), ("order=up", "order"), ("limit=x", "limit")]
)
def test_bad_query_is_rejected(api: Api, query: str, param: str) -> None:
    assert error_of(api.get(f"/v1/files?{query}"))[:3] == (400, "invalid_request", param)


def test_unknown_cursor_is_a_404(api: Api) -> None:
    assert error_of(api.get("/v1/files?after=file-none"))[:2] == (404, "file_not_found")


@pytest.mark.parametrize(
    ("name", "content_type", "seen"),
    [
        ("a.png", "image/png", ("a.png", "image/png")),
        ("dir/../b.txt", None, ("b.txt", "text/plain")),
        ("C:\\x\\c.md", "application/octet-stream", ("c.md", "text/markdown")),
        ("d.xyz", "not a type", ("d.xyz", "chemical/x-xyz")),
        ("e", "text/csv; charset=latin-1", ("e", "text/csv")),
    ],
)
def test_name_and_type_of_a_file(
    api: Api, name: str, content_type: str | None, seen: tuple[str, str]
) -> None:
    file = (name, b"x", content_type) if content_type else (name, b"x")
    found = body_of(api.post("/v1/files", files={"file": file}, headers=ANTHROPIC))
    assert (found["filename"], found["mime_type"]) == seen


def test_file_without_a_name_is_stored_as_it_is(api: Api) -> None:
    """anthropic-python sends bytes without a name: `client.files.upload(file=b"…")`."""
    content = b"\xff\x00 bytes that are no text"
    stored = body_of(api.post("/v1/files", files={"file": (None, content, "application/octet-stream")}))
    assert stored["filename"] == "unnamed.bin"
    assert api.get(f"/v1/files/{stored['id']}/content").content == content


def test_browsers_save_downloads_and_never_show_them(api: Api) -> None:
    file = upload(api, b"<script>alert(1)</script>", "ü.html")
    headers = api.get(f"/v1/files/{file['id']}/content").headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%BC.html"


def test_caches_keep_the_shapes_of_both_apis_apart(api: Api) -> None:
    assert "anthropic-version" in api.get("/v1/files").headers["vary"]
