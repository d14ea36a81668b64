"""Run the tests of fidelity and of upstream errors with both kinds of login."""

import pytest

from tests.support.logins import LOGINS
from tests.support.wide import wide_except

BOTH_LOGINS = (
    "test_fidelity",
    "test_fidelity_content",
    "test_fidelity_tools",
    "test_tool_round_trips",
    "test_upstream_errors",
)
#: With a subscription these are wide. test_subscription_login.py has quick tests of tool rounds.
WIDE = ("test_tool_round_trips", "test_upstream_errors")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the tests of these modules the shared gateway of each login."""
    if metafunc.module.__name__.rpartition(".")[2] in BOTH_LOGINS and "gateway" in metafunc.fixturenames:
        is_wide = metafunc.module.__name__.endswith(WIDE)
        metafunc.parametrize(
            "gateway", wide_except(LOGINS, next(iter(LOGINS))) if is_wide else list(LOGINS), indirect=True
        )
