"""What is measured: the gateway started here, or any OpenAI-compatible server."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import httpx2 as httpx

from bench import scripted_cli, usage
from bench.client import Request
from bench.results import RowFailed, median
from tests.support.gateway import ROOT, Gateway

API_KEY = "sk-ant-dummy"
PAUSE_SECONDS = 0.3
WARM_SECONDS = 120.0


class Target(Protocol):
    """An OpenAI-compatible server under test."""

    def chat(self, messages: list[dict[str, Any]], **fields: Any) -> Request:
        """A streamed chat completion."""

    def settle(self, warm: int) -> None:
        """Wait until `warm` new conversations find a process ready and nothing goes on in the background."""

    def cpu(self) -> float | None:
        """CPU seconds used so far, all processes together; None when it cannot be seen."""

    def memory(self) -> tuple[float | None, float | None]:
        """MiB: resident of the server, private of one CLI process (the median)."""


class Server:
    """A server that somebody else runs: only its answers can be seen."""

    def __init__(self, url: str, model: str | None, api_key: str | None) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._model = model or self._first_model()

    def _first_model(self) -> str | None:
        with contextlib.suppress(httpx.HTTPError, ValueError, LookupError, TypeError):
            models = httpx.get(f"{self.url}/v1/models", headers=self._headers, timeout=10).json()["data"]
            return str(models[0]["id"])
        return None

    def chat(self, messages: list[dict[str, Any]], **fields: Any) -> Request:
        body = {"messages": messages, "stream": True, **fields}
        if self._model:
            body["model"] = self._model
        return Request(f"{self.url}/v1/chat/completions", body, self._headers)

    def settle(self, warm: int) -> None:
        time.sleep(PAUSE_SECONDS)

    def cpu(self) -> float | None:
        return None

    def memory(self) -> tuple[float | None, float | None]:
        return None, None


class OwnGateway(Server):
    """A gateway that the benchmark started, and may look into."""

    def __init__(self, gateway: Gateway, model: str | None) -> None:
        super().__init__(gateway.url, model or "", API_KEY)
        self._gateway = gateway
        self.worker = gateway.workers[0].pid

    def settle(self, warm: int) -> None:
        deadline = time.monotonic() + WARM_SECONDS
        while self.status()["warm"] < warm:
            if time.monotonic() > deadline:
                raise RowFailed(f"no {warm} warm processes within {WARM_SECONDS:g} s")
            time.sleep(0.1)
        usage.await_quiet(self._gateway.process.pid)

    def status(self) -> dict[str, Any]:
        """What /health says of the CLI processes."""
        status: dict[str, Any] = self._gateway.api.health()["claude"]
        return status

    def cpu(self) -> float | None:
        return usage.cpu_seconds(self._gateway.process.pid)

    def memory(self) -> tuple[float | None, float | None]:
        children = [process.pid for process in usage.tree(self.worker)[1:]]
        return usage.rss(self.worker), median(usage.private(pid) for pid in children)


class Lab:
    """Starts what rows need when they first need it. One gateway at a time, so that none disturbs another."""

    def __init__(self, claude: str, model: str) -> None:
        self.claude = claude
        self.model = model
        self.folder = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
        self._stack = contextlib.ExitStack()
        self._stack.callback(lambda: subprocess.run(["rm", "-rf", str(self.folder)], check=False))
        self._upstream: str | None = None
        self._gateway: Gateway | None = None
        self._settings: dict[str, str] = {}

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *exc: object) -> None:
        self._close_gateway()
        self._stack.close()

    @property
    def upstream(self) -> str:
        """The URL of the stand-in for Anthropic's API."""
        if self._upstream is None:
            self._upstream = self._start_upstream()
        return self._upstream

    def gateway(self, warm: int) -> OwnGateway:
        """A gateway with the real CLI before the stand-in, `warm` processes ready."""
        environ = {
            "CLAUDE_BINARY_PATH": self.claude,
            "ANTHROPIC_BASE_URL": self.upstream,
            "WARM_PROCESSES": str(warm),
            "MAX_CONCURRENT_SESSIONS": "64",
            "MAX_PROCESSES": "160",
        }
        return self._start_gateway(environ, self.model)

    def scripted(self, warm: int) -> OwnGateway:
        """A gateway with the scripted CLI."""
        environ = {
            "CLAUDE_BINARY_PATH": str(self.launcher()),
            "WARM_PROCESSES": str(warm),
            "MAX_CONCURRENT_SESSIONS": "600",
            "MAX_PROCESSES": "1200",
            "MAX_QUEUED_REQUESTS": "600",
            "QUEUE_TIMEOUT_SECONDS": "120",
            "START_TIMEOUT_SECONDS": "120",
            "RATE_LIMIT_REQUESTS_PER_MINUTE": "1000000",  # never reached, but counted as the default one is
        }
        return self._start_gateway(environ, None)

    def bare(self) -> OwnGateway:
        """The gateway's server with an app that does nothing."""
        return self._start_gateway({}, None, "bench.bare_wsgi:app")

    def _start_gateway(
        self, settings: dict[str, str], model: str | None, wsgi: str = "wsgi:app"
    ) -> OwnGateway:
        if self._gateway is None or self._settings != settings:
            self._close_gateway()
            with _uninterrupted():
                self._gateway = Gateway({"ANTHROPIC_API_KEY": API_KEY, **settings}, wsgi)
            self._settings = settings
        return OwnGateway(self._gateway, model)

    def _close_gateway(self) -> None:
        gateway, self._gateway = self._gateway, None
        if gateway is not None:
            used = usage.cpu_seconds(os.getpid())
            with _uninterrupted():
                gateway.close()
            usage.Others.unaccounted += max(0.0, used - usage.cpu_seconds(os.getpid()))

    def launcher(self) -> Path:
        """The scripted CLI as a program with a path of its own."""
        path = self.folder / "claude"
        command = shlex.join([sys.executable, "-I", "-S", str(Path(scripted_cli.__file__).resolve())])
        path.write_text(f'#!/bin/sh\nexec {command} "$@"\n', "utf-8")
        path.chmod(0o755)
        return path

    def _start_upstream(self) -> str:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.upstream"],
            cwd=ROOT,
            env=_minimal(os.environ),
            stdin=subprocess.PIPE,  # it ends with its standard input
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        self._stack.callback(_end, process)
        assert process.stdout
        return process.stdout.readline().strip()


def _minimal(environ: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": environ["PATH"], "PYTHONPATH": str(ROOT)}


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.communicate()


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back: half-started servers would be left behind."""
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        raise KeyboardInterrupt
