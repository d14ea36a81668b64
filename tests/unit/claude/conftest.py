"""Fixtures for tests that start CLI processes in the test's own process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.claude.cli.process import count_living
from gateway.claude.fleet.fleet import Fleet
from tests.support.processes import end_all, run_until
from tests.support.scripted import ScriptedCli
from tests.unit.claude.fleets import make_fleet


@pytest.fixture
def no_processes_left() -> Iterator[None]:
    """Check that no CLI process is left when the test is over."""
    assert count_living() == 0
    yield
    try:
        run_until(lambda: count_living() == 0)
    finally:
        end_all()  # the next test should not fail as well


@pytest.fixture
def cli(tmp_path: Path) -> ScriptedCli:
    """Return a scripted CLI."""
    return ScriptedCli(tmp_path)


@pytest.fixture
def fleet(cli: ScriptedCli) -> Iterator[Fleet]:
    """Return a fleet of scripted CLIs with one warm process."""
    fleet = make_fleet(cli)
    yield fleet
    fleet.close()
