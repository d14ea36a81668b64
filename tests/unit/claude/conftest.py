"""Fixtures for tests that start CLI processes in the test's own process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.claude.cli.process import count_living
from tests.support.processes import run_until
from tests.support.scripted import ScriptedCli


@pytest.fixture
def no_processes_left() -> Iterator[None]:
    """Check that no CLI process is left when the test is over."""
    assert count_living() == 0
    yield
    run_until(lambda: count_living() == 0)


@pytest.fixture
def cli(tmp_path: Path) -> ScriptedCli:
    """Return a scripted CLI."""
    return ScriptedCli(tmp_path)
