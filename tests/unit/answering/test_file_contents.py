"""The files that a request refers to: only the caller's own, and together no larger than a request."""

import base64
import os
from collections.abc import Iterator

import pytest

from gateway.answering.file_contents import files_of
from gateway.answering.services import Services, build_services
from gateway.errors import RequestTooLarge, StoredFileNotFound
from gateway.settings import Settings
from tests.unit.answering.fakes import caller

ME = caller("me")


@pytest.fixture
def services(database_url: str) -> Iterator[Services]:
    services = build_services(Settings(database_url=database_url, max_request_bytes=700_000))
    yield services
    services.store.close()


def add(services: Services, content: bytes) -> str:
    return services.files.create("me", "a.bin", "user_data", "image/png", content).id


@pytest.mark.parametrize("size", [0, 1, 255 * 1024, 600_000])
def test_content_is_returned_in_base64(services: Services, size: int) -> None:
    content = os.urandom(size)
    found = files_of(ME, services)(add(services, content))
    assert (found.filename, found.content_type) == ("a.bin", "image/png")
    assert base64.b64decode(found.data, validate=True) == content


def test_files_of_other_callers_are_missing(services: Services) -> None:
    file_id = add(services, b"secret")
    with pytest.raises(StoredFileNotFound):
        files_of(caller("you"), services)(file_id)


@pytest.mark.parametrize("is_same", [True, False])
def test_files_of_a_request_are_limited_together(services: Services, is_same: bool) -> None:
    first = add(services, b"x" * 400_000)
    second = first if is_same else add(services, b"y" * 400_000)
    read_file = files_of(ME, services)
    read_file(first)
    with pytest.raises(RequestTooLarge, match="MAX_REQUEST_BYTES"):
        read_file(second)
