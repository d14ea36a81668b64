"""Fixtures of all tests: the real CLI, a stand-in for Anthropic's API, gateways between the two, and databases."""

import hashlib
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from gateway.claude.cli.binary import find_binary
from gateway.store.database import Store
from tests.standin import StandIn, text
from tests.support.gateway import SHARED_GATEWAY_SETTINGS, Gateway, read_log_ends, wait_for
from tests.support.logins import SUBSCRIPTION, without_none
from tests.support.recorded import last_user_text


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the ends of the gateways' logs to the report of a failed test: they may say more than the client was told."""
    report = yield
    if report.failed and (logs := read_log_ends()):
        report.sections.append(("Logs of the running gateways", logs))
    return report


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> Iterator[None]:
    """Hide the login and the settings of the person who runs the tests from the code under test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("ANTHROPIC_", "CLAUDE")) and name != "CLAUDE_BINARY_PATH":
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def claude_path(_clean_environment: None) -> str:
    """Return the path of the real CLI, found as the gateway finds it. Fail without one."""
    return find_binary(os.environ.get("CLAUDE_BINARY_PATH")).path


@pytest.fixture(scope="session")
def _shared_standin() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def standin(_shared_standin: StandIn) -> StandIn:
    """Return the stand-in for Anthropic's API, which scripts answers and records requests, reset for this test."""
    _shared_standin.begin()
    return _shared_standin


@pytest.fixture(scope="session")
def cli_environ(_shared_standin: StandIn, claude_path: str) -> dict[str, str]:
    """Return the settings that make the CLI send its requests to the stand-in."""
    return {
        "ANTHROPIC_BASE_URL": _shared_standin.url,
        "ANTHROPIC_API_KEY": "sk-ant-dummy",
        "CLAUDE_BINARY_PATH": claude_path,
    }


@pytest.fixture(scope="session")
def _shared_gateway(cli_environ: dict[str, str]) -> Iterator[Gateway]:
    gateway = Gateway({**cli_environ, **SHARED_GATEWAY_SETTINGS})
    yield gateway
    gateway.close()


@pytest.fixture(scope="session")
def _shared_subscription_gateway(cli_environ: dict[str, str]) -> Iterator[Gateway]:
    gateway = Gateway(without_none({**cli_environ, **SHARED_GATEWAY_SETTINGS, **SUBSCRIPTION}))
    yield gateway
    gateway.close()


@pytest.fixture
def gateway(standin: StandIn, request: pytest.FixtureRequest) -> Gateway:
    """Return the gateway that all tests share. It parks no conversations. A parameter may name its login."""
    has_subscription = getattr(request, "param", "") == "subscription"
    shared: Gateway = request.getfixturevalue(
        "_shared_subscription_gateway" if has_subscription else "_shared_gateway"
    )
    return shared


@pytest.fixture(scope="session")
def _shared_keeping_gateway(cli_environ: dict[str, str]) -> Iterator[Gateway]:
    settings = {"MAX_PROCESSES": "10", "MAX_WARM_PROCESSES": "2", "HOSTED_TOOLS": "web_search,web_fetch"}
    gateway = Gateway({**cli_environ, **settings})
    yield gateway
    gateway.close()


@pytest.fixture
def keeping_gateway(
    _shared_keeping_gateway: Gateway, standin: StandIn, request: pytest.FixtureRequest
) -> Gateway:
    """Return a shared gateway that parks conversations and allows hosted tools.

    Each test sends its own key, so none finds another's conversations.
    """
    owner = hashlib.sha256(request.node.name.encode()).hexdigest()
    _shared_keeping_gateway.api.headers["Authorization"] = f"Bearer {owner}"
    return _shared_keeping_gateway


@pytest.fixture
def echoing_model(standin: StandIn) -> None:
    """Make the model answer "You said …" with the last user message."""
    standin.default(lambda body: text(f"You said {last_user_text(body)}"))


@pytest.fixture
def start_gateway(cli_environ: dict[str, str], standin: StandIn) -> Iterator[Callable[..., Gateway]]:
    """Return a function that starts a gateway for this test, for example `start_gateway(WARM_PROCESSES="6")`.

    None removes a setting.
    """
    started: list[Gateway] = []

    def start(wsgi: str = "wsgi:app", **settings: str | None) -> Gateway:
        started.append(Gateway(without_none({**cli_environ, **settings}), wsgi))
        return started[-1]

    yield start
    for gateway in started:
        gateway.close()


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Return the URL of a SQLite database for this test."""
    return f"sqlite:///{tmp_path}/gateway.db"


@pytest.fixture(scope="session")
def _empty_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a database with all tables. Copying it takes a tenth of the time of all migrations."""
    path = tmp_path_factory.mktemp("tables") / "gateway.db"
    store = Store(f"sqlite:///{path}")
    store.open()
    store.close()
    return path


@pytest.fixture
def tables_url(database_url: str, tmp_path: Path, _empty_tables: Path) -> str:
    """Return the URL of that database, which has its tables."""
    shutil.copy(_empty_tables, tmp_path / "gateway.db")
    return database_url


@pytest.fixture
def store(tables_url: str) -> Iterator[Store]:
    """Return that database."""
    store = Store(tables_url)
    store.open()
    yield store
    store.close()


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a Redis server for this module, on a Unix socket."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed")
    path = tmp_path_factory.mktemp("redis") / "redis.sock"
    command = [binary, "--port", "0", "--unixsocket", str(path), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=path.parent) as server:
        wait_for(lambda: _is_listening(path), 20)
        yield f"redis+unix://{path}"
        server.terminate()


def _is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
