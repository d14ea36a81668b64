"""Fixtures: the real CLI, a stand-in for Anthropic's API, and gateways between the two."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.claude.cli.binary import find
from gateway.store.database import Store
from tests.standin import StandIn, text
from tests.support.gateway import SHARED, Gateway, wait_for
from tests.support.recorded import last_said


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the CLI or a gateway, so that `make test-fast` can leave it out."""
    for item in items:
        if "claude_path" in getattr(item, "fixturenames", ()):
            item.add_marker("cli")


@pytest.fixture(scope="session", autouse=True)
def _no_outer_settings() -> Iterator[None]:
    """The login and settings of whoever runs the tests must not reach the code under test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("ANTHROPIC_", "CLAUDE")) and name != "CLAUDE_BINARY_PATH":
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def claude_path(_no_outer_settings: None) -> str:
    """The real CLI, as the gateway would find it. Tests do not run without."""
    return find(os.environ.get("CLAUDE_BINARY_PATH")).path


@pytest.fixture(scope="session")
def _shared_standin() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def standin(_shared_standin: StandIn) -> StandIn:
    """The model's side: scripts answers, records requests. Fresh in each test."""
    _shared_standin.begin()
    return _shared_standin


@pytest.fixture(scope="session")
def cli_environ(_shared_standin: StandIn, claude_path: str) -> dict[str, str]:
    """The settings that lead the CLI to the stand-in."""
    return {
        "ANTHROPIC_BASE_URL": _shared_standin.url,
        "ANTHROPIC_API_KEY": "sk-ant-dummy",
        "CLAUDE_BINARY_PATH": claude_path,
    }


@pytest.fixture(scope="session")
def _shared_gateway(cli_environ: dict[str, str]) -> Iterator[Gateway]:
    gateway = Gateway({**cli_environ, **SHARED})
    yield gateway
    gateway.close()


@pytest.fixture
def gateway(_shared_gateway: Gateway, standin: StandIn) -> Gateway:
    """A gateway shared by all tests, in front of this test's stand-in; it keeps no conversation for its next turn."""
    return _shared_gateway


@pytest.fixture(scope="session")
def _keeper(cli_environ: dict[str, str]) -> Iterator[Gateway]:
    gateway = Gateway({**cli_environ, "MAX_PROCESSES": "10", "MAX_WARM_PROCESSES": "2"})
    yield gateway
    gateway.close()


@pytest.fixture
def keeper(_keeper: Gateway, standin: StandIn, request: pytest.FixtureRequest) -> Gateway:
    """A gateway that keeps conversations. Each test has a key of its own, and so finds nothing of another's."""
    owner = hashlib.sha256(request.node.name.encode()).hexdigest()
    _keeper.api.headers["Authorization"] = f"Bearer {owner}"
    return _keeper


@pytest.fixture
def echo(standin: StandIn) -> None:
    """A model that repeats what it was told last."""
    standin.default(lambda body: text(f"You said {last_said(body)}"))


@pytest.fixture
def start_gateway(cli_environ: dict[str, str], standin: StandIn) -> Iterator[Callable[..., Gateway]]:
    """Starts a gateway of the test's own: `start_gateway(WARM_PROCESSES="6")`; None removes a setting."""
    started: list[Gateway] = []

    def start(wsgi: str = "wsgi:app", **settings: str | None) -> Gateway:
        environ = {name: value for name, value in {**cli_environ, **settings}.items() if value is not None}
        started.append(Gateway(environ, wsgi))
        return started[-1]

    yield start
    for gateway in started:
        gateway.close()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """That of a database of the test's own."""
    return f"sqlite:///{tmp_path}/gateway.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """That database, with its tables."""
    store = Store(url)
    store.open()
    yield store
    store.close()


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of the tests' own, on a socket."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("there is no redis-server")
    path = tmp_path_factory.mktemp("redis") / "redis.sock"
    command = [binary, "--port", "0", "--unixsocket", str(path), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=path.parent) as server:
        wait_for(lambda: _listens(path), 20)
        yield f"redis+unix://{path}"
        server.terminate()


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
