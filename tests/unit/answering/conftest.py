"""Fixtures of the tests of the answering layer, which need no app."""

from collections.abc import Iterator

import pytest

from gateway.answering.services import Services, build_services
from gateway.settings import Settings


@pytest.fixture
def services(database_url: str) -> Iterator[Services]:
    """Return the services on this test's database."""
    services = build_services(Settings(database_url=database_url))
    yield services
    services.store.close()
