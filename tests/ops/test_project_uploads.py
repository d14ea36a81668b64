"""Uploads to projects as only a real server receives them: odd paths, chunked bodies, and bodies that are too large."""

import http.client
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from tests.support.api_client import body_of
from tests.support.gateway import Gateway

ODD_PATHS = [
    "..", "../x", "a/../../x", "a/./b", "%00", "a%1Bb", "a%5Cb", "%EF%BC%8E%EF%BC%8E", "e%CC%81", "CON", "a/nul.txt",
    "a.", "%20a", "x" * 256, "/".join("abcdefgh" * 5), "%FF", "..%2Fx", "%2e%2e/x",
]  # fmt: skip


@pytest.fixture
def files_url(gateway: Gateway) -> str:
    """Return the URL of the files of a new project."""
    return f"/v1/projects/{gateway.api.create_project()['id']}/files"


def connect(gateway: Gateway) -> http.client.HTTPConnection:
    """Return a connection that sends paths without changing them."""
    parts = urlsplit(gateway.url)
    assert parts.hostname
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)


@pytest.mark.parametrize("path", ODD_PATHS)
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_path_that_could_lead_elsewhere_is_rejected(
    gateway: Gateway, files_url: str, path: str, method: str
) -> None:
    with closing(connect(gateway)) as connection:
        connection.request(method, f"{files_url}/{path}", body=b"x" if method == "PUT" else None)
        answer = connection.getresponse()
        body = answer.read()
    assert answer.status == 400, body
    assert b'"param":"path"' in body
    assert body_of(gateway.api.get(files_url))["data"] == []


def test_chunked_upload_without_a_length_is_accepted(gateway: Gateway, files_url: str) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"one "
        yield b"two"

    assert body_of(gateway.api.put(f"{files_url}/a", content=chunks()))["bytes"] == 7


def test_file_larger_than_a_project_is_rejected_before_it_is_sent(gateway: Gateway, files_url: str) -> None:
    for url, kind in ((f"{files_url}/a", "text/plain"), (files_url, "multipart/form-data; boundary=x")):
        with closing(connect(gateway)) as connection:
            connection.putrequest("POST", url)
            connection.putheader("Content-Length", str(2_000_000_000))
            connection.putheader("Content-Type", kind)
            connection.endheaders()
            answer = connection.getresponse()
            assert answer.status == 413
            assert b"project_too_large" in answer.read()
