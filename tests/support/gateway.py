"""A real gateway for tests: gunicorn in a process of its own, with the real CLI and a stand-in for the API."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psutil

from tests.support.api_client import Api

ROOT = Path(__file__).resolve().parents[2]
LISTENING = re.compile(r"Listening at: (http://127\.0\.0\.1:\d+)")
START_SECONDS = 60.0

# Nothing is kept and the pool does not grow: every process is accounted for.
STILL = {"KEEP_SECONDS": "0", "MAX_WARM_PROCESSES": "0"}

# For the gateway that all tests share: what they leave behind, idle as it is, would take CPU time from the others.
SHARED = {**STILL, "TOOL_WAIT_SECONDS": "60"}


class Gateway:
    """gunicorn serving the app on a free port of 127.0.0.1. Nothing of the surrounding environment reaches it but PATH.

    `environ` adds settings, or overrides them; `wsgi` is what is served.
    """

    def __init__(self, environ: Mapping[str, str], wsgi: str = "wsgi:app") -> None:
        self.home = tempfile.TemporaryDirectory(prefix="gateway-test-")
        self._log = Path(self.home.name, "gateway.log")
        env = {
            "PATH": os.environ["PATH"],
            "HOME": self.home.name,
            "PYTHONPATH": str(ROOT),
            "HOST": "127.0.0.1",
            "PORT": "0",
            "LOG_FORMAT": "text",
            "CLAUDE_CODE_API_ENV_FILE": "/nonexistent",
            "CLAUDE_WORK_DIR": str(Path(self.home.name, "empty")),
            "RATE_LIMIT_REQUESTS_PER_MINUTE": "0",  # tests are quick
            "DATABASE_URL": f"sqlite:///{Path(self.home.name, 'gateway.db')}",
            "PROJECT_ROOT": str(Path(self.home.name, "projects")),
            **environ,
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), wsgi],
                env=env,
                cwd=ROOT,
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
        """All that gunicorn and the app have printed."""
        return self._log.read_text("utf-8", "replace")

    def await_warm(self, count: int) -> None:
        """Wait until `count` processes are warm."""
        wait_for(lambda: self.api.health()["claude"]["warm"] >= count, START_SECONDS)

    def reconnect(self) -> None:
        """Replace the client, so that no connection leads to a worker that is gone."""
        self.api.close()
        self.api = Api(self.url)

    @property
    def workers(self) -> list[psutil.Process]:
        """gunicorn's workers."""
        children: list[psutil.Process] = psutil.Process(self.process.pid).children()
        return children

    def cli_processes(self) -> list[psutil.Process]:
        """The CLI processes of all workers, running or not yet reaped."""
        found: list[psutil.Process] = []
        for worker in self.workers:
            with suppress(psutil.NoSuchProcess):  # it has just ended
                found += worker.children(recursive=True)
        return found

    def stop(self, number: int = signal.SIGTERM, timeout: float = 30.0) -> int:
        """Signal gunicorn and wait for its end; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def close(self) -> None:
        """Stop and remove everything."""
        self.api.close()
        self.stop()
        self.home.cleanup()


def wait_for(condition: Any, timeout: float = 20.0) -> Any:
    """The first true value of `condition()`; AssertionError when there is none in time."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s")
        time.sleep(0.01)


def clear_of_the_minute(seconds: float = 8.0) -> None:
    """Wait until the minute has so many seconds left: one that begins within a test lets further requests through."""
    while time.time() % 60 > 60 - seconds:
        time.sleep(0.2)


def port_of(response: httpx.Response) -> int:
    """The client's end of a connection."""
    port: int = response.extensions["network_stream"].get_extra_info("client_addr")[1]
    return port
