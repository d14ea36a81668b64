"""The make targets work, in a copy of the project with its own pid file, log, settings and database."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psutil
import pytest

from tests.support.gateway import ROOT, wait_for
from tests.support.scripted import ScriptedCli
from tests.support.sockets import free_port, have_ended, is_listening
from tests.support.wide import wide

COPIED = (
    "gateway",
    "scripts",
    "deploy",
    "Makefile",
    "claude-gateway",
    "gunicorn.conf.py",
    "pyproject.toml",
    "wsgi.py",
    ".env.example",
    "requirements.txt",
)
PRIVATE = ("gateway.log", "gateway.db")
KEY = "sk-test-of-make-0123456789abcdef"
SECONDS = 100


# -o: make takes these files for up to date, so that no test installs anything.
MAKE = ["make", "--no-print-directory", "-o", ".venv/.installed", "-o", ".venv/.installed-dev"]


class Project:
    """A copy of the project in `folder`, whose gateway listens on `port`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = {
            "PATH": os.environ["PATH"],
            "ANTHROPIC_API_KEY": "sk-ant-dummy",
            **ScriptedCli(folder).environ,
        }

    def write_env(self, **settings: str) -> None:
        """Write the `.env` of the project: the usual settings and these."""
        usual = {
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "REQUIRE_AUTH": "true",
            "API_KEYS": KEY,
            "WARM_PROCESSES": "1",
        }
        lines = (f"{name}={value}\n" for name, value in {**usual, **settings}.items())
        (self.folder / ".env").write_text("".join(lines))
        (self.folder / ".env").chmod(0o600)

    def make(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run make to its end. `stdout` of the result also has stderr."""
        return subprocess.run(
            [*MAKE, *arguments],
            cwd=self.folder,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )

    @property
    def pid(self) -> int:
        """Return the process id in the pid file."""
        return int((self.folder / "data/gateway.pid").read_text())

    def health(self) -> dict[str, Any]:
        """Return the body of /health, read over a new connection."""
        body: dict[str, Any] = httpx.get(f"{self.url}/health", timeout=30, trust_env=False).json()
        return body


@pytest.fixture(scope="module")
def _project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("project"))
    yield project
    pid_file = project.folder / "data/gateway.pid"
    if pid_file.exists():
        os.kill(project.pid, signal.SIGQUIT)
        wait_for(lambda: not pid_file.exists(), 20)


@pytest.fixture
def project(_project: Project) -> Project:
    """Return the copy with its usual settings. An earlier test may have left its gateway running."""
    _project.write_env()
    return _project


@pytest.fixture
def stopped(project: Project) -> Project:
    """Return the copy with no gateway running."""
    assert project.make("stop").returncode == 0
    return project


@pytest.fixture
def running(project: Project) -> Project:
    """Return the copy with its gateway running in the background."""
    started = project.make("start-prod-bg")
    assert started.returncode == 0, started.stdout
    return project


def test_background_start_status_and_stop(stopped: Project) -> None:
    status = stopped.make("status")
    assert status.returncode != 0
    assert "is not running" in status.stdout
    started = stopped.make("start-prod-bg")
    assert started.returncode == 0, started.stdout
    assert stopped.url in started.stdout
    assert stopped.health()["version"]
    server = psutil.Process(stopped.pid)
    assert (
        os.getsid(server.pid) == server.pid
    )  # in its own session, where the end of a terminal does not reach it
    again = stopped.make("start-prod-bg")
    assert "is already running" in again.stdout
    assert stopped.pid == server.pid
    status = stopped.make("status")
    assert status.returncode == 0
    assert f"pid {server.pid}" in status.stdout
    assert "using Claude Code" in status.stdout  # from the log
    assert KEY not in status.stdout
    assert [(stopped.folder / "data" / name).stat().st_mode & 0o077 for name in PRIVATE] == [0, 0]
    children = [child.pid for child in server.children(recursive=True)]
    halted = stopped.make("stop")
    assert halted.returncode == 0, halted.stdout
    assert have_ended(server.pid, *children)
    assert stopped.make("stop").returncode == 0


def test_failed_start_says_why(stopped: Project) -> None:
    stopped.write_env(API_KEYS="")
    failed = stopped.make("start-prod-bg")
    assert failed.returncode != 0
    assert "REQUIRE_AUTH" in failed.stdout
    assert not is_listening(stopped.port)


def test_pid_file_of_another_program_is_ignored(stopped: Project) -> None:
    (stopped.folder / "data").mkdir(exist_ok=True)
    (stopped.folder / "data/gateway.pid").write_text(f"{os.getpid()}\n")
    status = stopped.make("status")
    (stopped.folder / "data/gateway.pid").unlink()
    assert "is not running" in status.stdout


def test_running_gateway_passes_the_quick_tests(running: Project) -> None:
    tests = running.make("quick-test")
    assert tests.returncode == 0, tests.stdout
    assert [line.split()[:2] for line in tests.stdout.splitlines()] == [
        ["health", "ok"],
        ["models", "ok"],
        ["hello", "ok"],
    ]
    assert "Say hello world" in tests.stdout  # the scripted CLI repeats the question
    chat = running.make("test-chat")
    assert chat.returncode == 0, chat.stdout
    assert "Count from 1 to 10." in chat.stdout
    assert "claude-" in running.make("models").stdout
    elsewhere = running.make("test-models", f"BASE_URL={running.url}/v1", API_KEY="wrong")
    assert elsewhere.returncode != 0
    assert "401" in elsewhere.stdout
    nowhere = running.make("test-health", f"BASE_URL=http://127.0.0.1:{free_port()}")
    assert nowhere.returncode != 0
    assert "does not answer" in nowhere.stdout


def test_restart_loads_new_code_and_settings(running: Project) -> None:
    """gunicorn itself has loaded modules of the gateway; its new workers must not inherit the old code."""
    code = running.folder / "gateway/version.py"
    original = code.read_text()
    server = running.pid
    running.write_env(MAX_PROCESSES="7")
    code.write_text(original.replace('RELEASED = "', 'RELEASED = "9.'))
    restarted = running.make("restart")
    code.write_text(original)
    assert restarted.returncode == 0, restarted.stdout

    def health_of_new_worker() -> Any:
        """Return nothing while the old worker, which has not retired yet, answers."""
        health = running.health()
        return health if health["version"].startswith("9.") else None

    assert wait_for(health_of_new_worker, 20)["claude"]["max_processes"] == 7
    assert running.pid == server


@pytest.mark.wide
def test_restart_that_would_fail_leaves_the_gateway_alone(running: Project) -> None:
    workers = psutil.Process(running.pid).children()
    running.write_env(PORT="many")
    refused = running.make("restart")
    running.write_env()
    assert refused.returncode != 0
    assert "PORT" in refused.stdout
    assert {worker.pid for worker in workers} <= {
        child.pid for child in psutil.Process(running.pid).children()
    }
    code = running.folder / "gateway/api/views/meta.py"
    original = code.read_text()
    code.write_text("a mistake\n")
    refused = running.make("restart")
    code.write_text(original)
    assert refused.returncode != 0
    assert "was not changed" in refused.stdout
    assert running.health()["version"]


def test_logs_follows_the_log(running: Project) -> None:
    reader = subprocess.Popen(
        [*MAKE, "logs"],
        cwd=running.folder,
        env=running.environ,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert reader.stdout
        assert reader.stdout.readline()  # the end of the log so far, so the reader has opened it
        with (running.folder / "data/gateway.log").open("a") as log:
            log.write("a line that comes later\n")
        assert any("a line that comes later" in line for line in reader.stdout)
    finally:
        os.killpg(reader.pid, signal.SIGTERM)
        reader.communicate()


def test_deploy_check_says_what_to_change(running: Project) -> None:
    good = running.make("deploy-check")
    assert "every client needs a key" in good.stdout
    assert "healthy and logged in" in good.stdout
    assert f"{running.folder}/.env" not in good.stdout
    assert KEY not in good.stdout
    opened = {
        "REQUIRE_AUTH": "false",
        "HOST": "0.0.0.0",
        "ALLOW_AGENT_PROJECTS": "true",
        "LOG_CONTENT": "true",
    }
    running.write_env(**opened, API_KEYS="short", MAX_PROCESSES="100000", AGENT_TOOLS="Read,Bash")
    (running.folder / ".env").chmod(0o644)
    bad = running.make("deploy-check")
    assert bad.returncode != 0
    wrong = [line.split()[0] for line in bad.stdout.splitlines() if " WRONG " in line]
    assert set(wrong) >= {"auth", "keys", "limits", "agents", "permissions"}
    assert "LOG_CONTENT" in bad.stdout
    assert "AGENT_TOOLS contains Bash" in bad.stdout


@wide
def test_doctor_has_an_answer_written_in_each_dialect(running: Project) -> None:
    """The gateway itself takes the place of Anthropic's API for the check of the clock."""
    checked = running.make("doctor", ANTHROPIC_BASE_URL=running.url)
    assert checked.returncode == 0, checked.stdout
    for path in ("chat/completions", "responses", "messages", "completions"):
        assert f"ok     /v1/{path} answered" in checked.stdout
    assert "clock        ok" in checked.stdout
    assert "All is well." in checked.stdout
    assert KEY not in checked.stdout
    wrong = running.make("doctor", "ARGS=--key wrong", ANTHROPIC_BASE_URL=running.url)
    assert "the gateway asks for a key: API_KEY=" in wrong.stdout


def test_info_shows_settings_but_no_secrets(project: Project) -> None:
    secrets = {
        "CLAUDE_API_KEY": "sk-ant-secret",
        "RATE_LIMIT_STORAGE_URL": "redis://:secret@localhost:6379/0",
    }
    project.write_env(**secrets, DATABASE_URL="postgresql://me:secret@localhost/gateway", DEBUG="yes")
    shown = project.make("info")
    rows = dict(line.split(maxsplit=1) for line in shown.stdout.splitlines())
    expected = {
        "REQUIRE_AUTH": "true",
        "DEBUG": "true",
        "API_KEYS": "1, not shown",
        "CLAUDE_API_KEY": "not shown",
        "DATABASE_URL": "postgresql://me:…@localhost/gateway",
        "RATE_LIMIT_STORAGE_URL": "redis://:…@localhost:6379/0",
        "KEEP_SECONDS": "300",
        "LOG_FILE_PATH": "-",
    }
    assert rows.items() >= expected.items()
    assert "secret" not in shown.stdout
    assert KEY not in shown.stdout


@wide
def test_kill_frees_a_port(stopped: Project) -> None:
    assert "Name the port" in stopped.make("kill").stdout
    assert "No process listens" in stopped.make("kill", f"PORT={free_port()}").stdout
    started = stopped.make("start-prod-bg")
    assert started.returncode == 0, started.stdout
    killed = stopped.make("kill", f"PORT={stopped.port}")
    assert killed.returncode == 0, killed.stdout
    assert not is_listening(stopped.port)


def test_dev_setup_does_not_overwrite_settings(project: Project) -> None:
    (project.folder / ".env").unlink()
    first = project.make("dev-setup")
    assert first.returncode == 0, first.stdout
    env = project.folder / ".env"
    assert env.read_text() == (ROOT / ".env.example").read_text()
    assert env.stat().st_mode & 0o077 == 0
    env.write_text("# mine\n")
    project.make("dev-setup")
    assert env.read_text() == "# mine\n"


def test_help_lists_the_targets(project: Project) -> None:
    listed = project.make().stdout
    assert listed == project.make("help").stdout
    assert "make start-prod-bg" in listed


def test_typo_in_the_settings_does_not_keep_the_gateway_from_being_stopped(running: Project) -> None:
    pid = running.pid
    running.write_env(WARM_PROCESSES="few")
    status = running.make("status")
    assert status.returncode == 0, status.stdout
    assert f"pid {pid}" in status.stdout
    for target in ("start-prod-bg", "restart"):
        refused = running.make(target)
        assert refused.returncode != 0
        assert ".env, line 5: WARM_PROCESSES=few: Not a valid integer." in refused.stdout
    stopped = running.make("stop")
    assert stopped.returncode == 0, stopped.stdout
    assert have_ended(pid)


def test_start_names_the_process_that_uses_the_port(stopped: Project) -> None:
    """The answers of another gateway on the port passed for its own."""
    command = [sys.executable, "-m", "http.server", str(stopped.port), "--bind", "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as other:
        wait_for(lambda: is_listening(stopped.port), 20)
        refused = stopped.make("start-prod-bg")
        other.terminate()
    assert refused.returncode != 0
    assert (
        f"Port {stopped.port} is in use by pid {other.pid} ({sys.executable} -m http.server" in refused.stdout
    )


def test_virtual_environment_of_another_user_is_kept(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    foreign = tmp_path / "venv" if os.geteuid() == 0 else Path("/etc")
    foreign.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        os.chown(foreign, 12345, 12345)
    command = ["make", f"VENV={foreign}", f"{foreign}/bin/python"]
    refused = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert refused.returncode != 0
    assert "belongs to another user" in refused.stderr
    assert foreign.exists()


@wide
def test_background_log_is_rotated(stopped: Project) -> None:
    (stopped.folder / "data/gateway.log").unlink(missing_ok=True)
    stopped.write_env(LOG_MAX_BYTES="2000", LOG_BACKUP_COUNT="2")
    started = stopped.make("start-prod-bg")
    assert started.returncode == 0, started.stdout
    logs = wait_for(lambda: [*stopped.folder.glob("data/gateway.log.*")], 20)
    assert all(path.stat().st_size <= 2000 for path in logs)
    assert stopped.make("stop").returncode == 0
