"""A gateway process for tests: gunicorn, the real or a scripted CLI, and the stand-in for Anthropic's API."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psutil

from tests.support.api_client import Api

ROOT = Path(__file__).resolve().parents[2]
LISTENING = re.compile(r"Listening at: (http://127\.0\.0\.\d+:\d+)")
START_SECONDS = 60.0

# No conversation is parked and the warm pool does not grow, so that a test can account for every CLI process.
NOTHING_KEPT = {"KEEP_SECONDS": "0", "MAX_WARM_PROCESSES": "0"}

# Settings of the gateway that all tests share. Processes that wait for tool results would take CPU time from others.
# Other tests keep the CPU busy, so a low priority would make batches slow.
SHARED_GATEWAY_SETTINGS = {**NOTHING_KEPT, "TOOL_WAIT_SECONDS": "60", "BATCH_NICENESS": "0"}


@dataclass(frozen=True)
class Program:
    """The code of a gateway: its folder, the Python that runs it, and a command `prefix`, for example of a sandbox."""

    folder: Path = ROOT
    python: str = sys.executable
    prefix: tuple[str, ...] = ()


THIS_PROGRAM = Program()
LOG_LINES = 30  # of each gateway, in the report of a failed test
_running: set["Gateway"] = set()


class Gateway:
    """gunicorn that serves the app on a free port of 127.0.0.1.

    Of the surrounding environment, only PATH reaches it. `environ` adds or overrides settings; `wsgi` names the app.
    `api` is a client of it that sends no key.
    """

    def __init__(
        self, environ: Mapping[str, str], wsgi: str = "wsgi:app", program: Program = THIS_PROGRAM
    ) -> None:
        self.home = tempfile.TemporaryDirectory(prefix="gateway-test-")
        self._log = Path(self.home.name, "gateway.log")
        env = {
            "PATH": os.environ["PATH"],
            "HOME": self.home.name,
            "PYTHONPATH": str(program.folder),
            "HOST": "127.0.0.1",
            "PORT": "0",
            "LOG_FORMAT": "text",
            "CLAUDE_CODE_API_ENV_FILE": "/nonexistent",
            "CLAUDE_WORK_DIR": str(Path(self.home.name, "empty")),
            "RATE_LIMIT_REQUESTS_PER_MINUTE": "0",  # tests send many requests
            "DATABASE_URL": f"sqlite:///{Path(self.home.name, 'gateway.db')}",
            "PROJECT_ROOT": str(Path(self.home.name, "projects")),
            **environ,
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*program.prefix, program.python, "-m", "gunicorn", "-c", "gunicorn.conf.py", wsgi],
                env=env,
                cwd=program.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.url = self._await_url()
        except AssertionError:
            self.home.cleanup()
            raise
        self.api = Api(self.url)
        _running.add(self)

    def _await_url(self) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            found = LISTENING.search(self.log)
            if found:
                return found[1]
            if self.process.poll() is not None:
                raise AssertionError(f"the gateway did not start:\n{self.log}")
            time.sleep(0.02)
        raise AssertionError(f"the gateway does not listen:\n{self.log}")

    @property
    def log(self) -> str:
        """Return everything that gunicorn and the app have printed."""
        return self._log.read_text("utf-8", "replace")

    def await_warm(self, count: int) -> None:
        """Wait until at least `count` CLI processes are warm."""
        wait_for(lambda: self.api.health()["claude"]["warm"] >= count, START_SECONDS)

    def reconnect(self) -> None:
        """Replace the client, so that no connection leads to a worker that is gone."""
        self.api.close()
        self.api = Api(self.url)

    @property
    def workers(self) -> list[psutil.Process]:
        """Return gunicorn's worker processes."""
        children: list[psutil.Process] = psutil.Process(self.process.pid).children()
        return children

    def cli_processes(self) -> list[psutil.Process]:
        """Return the CLI processes of all workers, running or not yet reaped."""
        found: list[psutil.Process] = []
        for worker in self.workers:
            with suppress(psutil.NoSuchProcess):  # the worker has just ended
                found += worker.children(recursive=True)
        return found

    def stop(self, number: int = signal.SIGTERM, timeout: float = 30.0) -> int:
        """Signal gunicorn, wait for its end and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def close(self) -> None:
        """Stop the process and remove its files."""
        _running.discard(self)
        self.api.close()
        self.stop()
        self.home.cleanup()


def read_log_ends() -> str:
    """Return the last lines of the logs of all running gateways."""
    return "\n".join(f"{one.url}\n" + "\n".join(one.log.splitlines()[-LOG_LINES:]) for one in _running)


def wait_for(condition: Any, timeout: float = 20.0) -> Any:
    """Call `condition` until its result is true and return that. Raise AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"the condition was not true within {timeout} s")
        time.sleep(0.01)


def port_of(response: httpx.Response) -> int:
    """Return the port at the client's end of a response's connection."""
    port: int = response.extensions["network_stream"].get_extra_info("client_addr")[1]
    return port
