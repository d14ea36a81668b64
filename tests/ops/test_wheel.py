"""The wheel, installed into an empty environment as a user would, does the main job far from any clone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from gateway.claude.cli.binary import find_binary
from tests.standin import StandIn, text
from tests.support.api_client import Api
from tests.support.gateway import ROOT
from tests.support.installation import Installation
from tests.support.sockets import free_port, have_ended, is_listening
from tests.support.wide import wide


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as standin:
        standin.default(text("Hello from the model."))
        yield standin


@wide
@pytest.mark.timeout(600)
def test_installed_wheel_serves_all_dialects_and_pages(installed: Installation, standin: StandIn) -> None:
    port = free_port()
    environ = {"PORT": str(port), "ANTHROPIC_BASE_URL": standin.url}
    started = installed.run("serve", "--background", **environ)
    assert started.returncode == 0, started.stdout
    try:
        with Api(f"http://127.0.0.1:{port}") as api:
            answer = api.chat("Hello!").json()
            assert answer["choices"][0]["message"]["content"] == "Hello from the model."
            for page in ("/", "/dashboard", "/docs"):
                shown = api.get(page, headers={"Accept": "text/html"}, follow_redirects=True)
                assert shown.status_code == 200, page
                assert shown.headers["content-type"].startswith("text/html")
        checked = installed.run("doctor", **environ)
        assert checked.returncode == 0, checked.stdout
        assert "/v1/messages answered 'Hello from the model.'" in checked.stdout
        created = installed.run("keys", "create", "alice", **environ)
        assert created.returncode == 0, created.stdout
        assert "alice" in installed.run("keys", "list", **environ).stdout
    finally:
        stopped = installed.run("stop", **environ)
    assert stopped.returncode == 0, stopped.stdout
    assert not is_listening(port)
    saved = installed.run("backup", "saved.tar.gz", **environ)
    assert saved.returncode == 0, saved.stdout
    assert sorted(path.name for path in installed.home.iterdir() if not path.name.startswith(".claude")) == [
        ".local",
        "saved.tar.gz",
    ]


@wide
@pytest.mark.timeout(600)
def test_installed_wheel_has_a_demo(installed: Installation) -> None:
    shown = installed.run("demo", "--once")
    assert shown.returncode == 0, shown.stdout
    assert "This answer is scripted" in shown.stdout
    assert 'Before that, you asked: "Hello! Are you a real model?"' in shown.stdout
    assert "claude-gateway connect" in shown.stdout


@wide
def test_demo_ends_with_its_gateway() -> None:
    command = [sys.executable, "-u", "-m", "gateway", "demo"]
    environ = {"PATH": os.environ["PATH"], "CLAUDE_BINARY_PATH": find_binary(None).path}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout
        assert any("serves at" in line for line in demo.stdout)
        children = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(30) == 0
        assert "Stopped." in demo.stdout.read()
    assert len(children) >= 4  # gunicorn, its worker, two CLI processes
    assert have_ended(*(child.pid for child in children))
