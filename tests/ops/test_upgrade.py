"""An upgrade from the last release with its data, and the way back, as docs/upgrade.md describes them."""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.api_client import Api
from tests.support.gateway import ROOT, THIS_PROGRAM, Gateway, Program
from tests.support.scripted import ScriptedCli
from tests.support.sockets import free_port
from tests.support.wide import wide

#: The last commit of release 1.0, whose code is not a package yet.
LAST_RELEASE = "84e3156"
FILES = ("gateway", "wsgi.py", "gunicorn.conf.py")


@pytest.fixture(scope="module")
def last_release(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Unpack the last release. It runs with the packages of this one."""
    command = ["git", "archive", LAST_RELEASE, *FILES]
    packed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip("this clone does not have the last release")
    folder = tmp_path_factory.mktemp("last-release")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder)
    return Program(folder)


class Data:
    """The settings of one gateway, which several releases run in turn."""

    def __init__(self, folder: Path) -> None:
        self.environ = {
            **ScriptedCli(folder).environ,
            "ANTHROPIC_API_KEY": "sk-ant-dummy",
            "DATABASE_URL": f"sqlite:///{folder}/data/gateway.db",
            "PROJECT_ROOT": f"{folder}/data/projects",
            "REQUIRE_AUTH": "true",
        }

    def run_command(self, program: Program, *arguments: str) -> str:
        """Run a command of the command line, and return its output."""
        environ = {
            "PATH": os.environ["PATH"],
            "CLAUDE_CODE_API_ENV_FILE": "/nonexistent",
            "PORT": str(free_port()),
        }
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            cwd=program.folder,
            env={**environ, **self.environ},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def serve(self, program: Program, key: str) -> Iterator[Api]:
        """Run the gateway of a release, and yield a client of it with the key."""
        gateway = Gateway(self.environ, program=program)
        try:
            yield gateway.api.with_key(key)
        finally:
            gateway.close()


def ask(api: Api, text: str, session: str) -> None:
    answer = api.chat(text, session_id=session)
    assert answer.status_code == 200, answer.text


def list_questions(api: Api, session: str) -> list[str]:
    messages = api.show_session(session)["messages"]
    return [message["content"] for message in messages if message["role"] == "user"]


@wide
def test_data_survives_an_upgrade_and_the_way_back(last_release: Program, tmp_path: Path) -> None:
    data, archive = Data(tmp_path), tmp_path / "backup.tar.gz"
    key = data.run_command(last_release, "keys", "create", "alice").strip()
    with data.serve(last_release, key) as api:
        session = api.create_session(title="Trip")
        ask(api, "One?", session)
    data.run_command(THIS_PROGRAM, "backup", str(archive))

    with data.serve(THIS_PROGRAM, key) as api:  # the upgrade
        ask(api, "Two?", session)
        assert list_questions(api, session) == ["One?", "Two?"]
    assert data.run_command(THIS_PROGRAM, "usage").split("TOTAL")[1].split()[0] == "2"
    bob = data.run_command(THIS_PROGRAM, "keys", "create", "bob").strip()

    with data.serve(last_release, key) as api:  # the way back, with the data of the newer release
        ask(api, "Three?", session)
        assert list_questions(api, session) == ["One?", "Two?", "Three?"]
        assert api.with_key(bob).chat("Hello!").status_code == 200

    data.run_command(THIS_PROGRAM, "restore", str(archive))
    with data.serve(last_release, key) as api:  # the way back, with the data from before the upgrade
        assert list_questions(api, session) == ["One?"]
        assert api.with_key(bob).chat("Hello!").status_code == 401
