"""Run the tests of fidelity and of upstream errors with both kinds of login, and share a gateway with agents."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standin import StandIn
from tests.support.agents import TOOLS
from tests.support.gateway import Gateway
from tests.support.logins import LOGINS
from tests.support.mcp_server import McpServer, running_server
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


@pytest.fixture(scope="session")
def agents_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agents") / "projects"


@pytest.fixture(scope="session")
def _agents(cli_environ: dict[str, str], agents_root: Path) -> Iterator[Gateway]:
    settings = {
        "PROJECT_ROOT": str(agents_root),
        "ALLOW_AGENT_PROJECTS": "true",
        "AGENT_TOOLS": ",".join([*TOOLS, "Edit"]),
        "MAX_PROJECT_SIZE_MB": "1",
        "WARM_PROCESSES": "0",
        "MAX_PROCESSES": "4",
    }
    gateway = Gateway({**cli_environ, **settings})
    yield gateway
    gateway.close()


@pytest.fixture
def agents(_agents: Gateway, standin: StandIn) -> Gateway:
    """Return a gateway whose operator allows agents and all of their tools."""
    return _agents


@pytest.fixture(scope="module")
def server() -> Iterator[McpServer]:
    """Yield an MCP server that can misbehave."""
    with running_server() as server:
        yield server
