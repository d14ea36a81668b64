"""Run the tests of fidelity and of upstream errors with both kinds of login."""

import pytest

from tests.support.logins import LOGINS

BOTH_LOGINS = (
    "test_fidelity",
    "test_fidelity_content",
    "test_fidelity_tools",
    "test_tool_round_trips",
    "test_upstream_errors",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the tests of these modules the shared gateway of each login."""
    if metafunc.module.__name__.rpartition(".")[2] in BOTH_LOGINS and "gateway" in metafunc.fixturenames:
        metafunc.parametrize("gateway", list(LOGINS), indirect=True)
