"""The servers to measure: a gateway that the benchmark starts, or any OpenAI-compatible server."""

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
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import httpx2 as httpx

from bench import scripted_cli, usage
from bench.client import Request
from bench.results import RowFailed, median
from tests.support.gateway import ROOT, THIS_PROGRAM, Gateway, Program, wait_for
from tests.support.logins import SUBSCRIPTION, without_none

API_KEY = "sk-ant-dummy"
PAUSE_SECONDS = 0.3
WARM_SECONDS = 120.0


class Target(Protocol):
    """An OpenAI-compatible server under test."""

    def chat(self, messages: list[dict[str, Any]], **fields: Any) -> Request:
        """Return a request for a streamed chat completion."""

    def settle(self, warm: int) -> None:
        """Wait until `warm` processes are ready for new conversations and no work goes on in the background."""

    def cpu(self) -> float | None:
        """Return the CPU seconds that all processes have used so far, or None if unknown."""

    def memory(self) -> tuple[float | None, float | None]:
        """Return the resident memory of the server and the median private memory of a CLI process, in MiB."""


class Server:
    """A server that the benchmark did not start. Its answers can be measured, and its CPU if `pid` is known."""

    def __init__(self, url: str, model: str | None, api_key: str | None, pid: int | None = None) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self._pid = pid
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
        if self._pid is not None:
            usage.await_quiet(self._pid)

    def cpu(self) -> float | None:
        return None if self._pid is None else usage.cpu_seconds(self._pid)

    def memory(self) -> tuple[float | None, float | None]:
        return None, None


class OwnGateway(Server):
    """A gateway that the benchmark started, and can inspect."""

    def __init__(self, gateway: Gateway, model: str | None) -> None:
        self.root = gateway.process.pid
        super().__init__(gateway.url, model or "", API_KEY, self.root)
        self._gateway = gateway
        self.worker = wait_for(lambda: gateway.workers)[0].pid  # it listens before its worker exists

    def settle(self, warm: int) -> None:
        deadline = time.monotonic() + WARM_SECONDS
        while self.status()["warm"] < warm:
            if time.monotonic() > deadline:
                raise RowFailed(f"no {warm} warm processes within {WARM_SECONDS:g} s")
            time.sleep(0.1)
        usage.await_quiet(self.root)

    def status(self) -> dict[str, Any]:
        """Return the section of /health about CLI processes."""
        status: dict[str, Any] = self._gateway.api.health()["claude"]
        return status

    def memory(self) -> tuple[float | None, float | None]:
        children = [process.pid for process in usage.tree(self.worker)[1:]]
        return usage.rss(self.worker), median(usage.private(pid) for pid in children)


class Lab:
    """Starts the servers that rows need, when they need them. Only one gateway runs at a time.

    `program` is the code of the gateway. Two labs can share the stand-in of the first one by its `upstream`.
    """

    def __init__(
        self, claude: str, model: str, program: Program = THIS_PROGRAM, upstream: str | None = None
    ) -> None:
        self.claude = claude
        self.model = model
        self._program = program
        self.folder = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
        self._stack = contextlib.ExitStack()
        self._stack.callback(lambda: subprocess.run(["rm", "-rf", str(self.folder)], check=False))
        self._upstream = upstream
        self._gateway: Gateway | None = None
        self._settings: dict[str, str | None] = {}

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close_gateway()
        self._stack.close()

    @property
    def upstream(self) -> str:
        """Return the URL of the stand-in for Anthropic's API."""
        if self._upstream is None:
            self._upstream = self._start_upstream()
        return self._upstream

    def gateway(self, warm: int) -> OwnGateway:
        """Return a gateway with `warm` processes of the real CLI, which use the stand-in."""
        return self._start_gateway(self._real_cli(warm), self.model)

    def subscription(self, warm: int) -> OwnGateway:
        """Return the same gateway with the login of a subscription, for which the CLI loads a plugin."""
        return self._start_gateway({**self._real_cli(warm), **SUBSCRIPTION}, self.model)

    def default(self, prefix: tuple[str, ...] = (), **settings: str | None) -> OwnGateway:
        """Return a new gateway with default settings. `prefix` begins its command."""
        self.close_gateway()
        real = {"CLAUDE_BINARY_PATH": self.claude, "ANTHROPIC_BASE_URL": self.upstream, **settings}
        return self._start_gateway(real, self.model, prefix=prefix)

    def _real_cli(self, warm: int) -> dict[str, str | None]:
        return {
            "CLAUDE_BINARY_PATH": self.claude,
            "ANTHROPIC_BASE_URL": self.upstream,
            "WARM_PROCESSES": str(warm),
            "MAX_CONCURRENT_SESSIONS": "64",
            "MAX_PROCESSES": "160",
        }

    def scripted(self, warm: int) -> OwnGateway:
        """Return a gateway with the scripted CLI."""
        environ: dict[str, str | None] = {
            "CLAUDE_BINARY_PATH": str(self.launcher()),
            "WARM_PROCESSES": str(warm),
            "MAX_CONCURRENT_SESSIONS": "600",
            "MAX_PROCESSES": "1200",
            "MAX_QUEUED_REQUESTS": "600",
            "QUEUE_TIMEOUT_SECONDS": "120",
            "START_TIMEOUT_SECONDS": "120",
            "RATE_LIMIT_REQUESTS_PER_MINUTE": "1000000",  # counted as by default, but never reached
        }
        return self._start_gateway(environ, None)

    def bare(self) -> OwnGateway:
        """Return the gateway's server with an app that does nothing."""
        return self._start_gateway({}, None, "bench.bare_wsgi:app")

    def _start_gateway(
        self,
        settings: dict[str, str | None],
        model: str | None,
        wsgi: str = "wsgi:app",
        prefix: tuple[str, ...] = (),
    ) -> OwnGateway:
        if self._gateway is None or self._settings != settings:
            self.close_gateway()
            environ = without_none({"ANTHROPIC_API_KEY": API_KEY, **settings})
            with _uninterrupted():
                self._gateway = Gateway(environ, wsgi, replace(self._program, prefix=prefix))
            self._settings = settings
        return OwnGateway(self._gateway, model)

    def close_gateway(self) -> None:
        """Stop the gateway that runs, if any."""
        gateway, self._gateway = self._gateway, None
        if gateway is not None:
            used = usage.cpu_seconds(os.getpid())
            with _uninterrupted():
                gateway.close()
            usage.Others.unaccounted += max(0.0, used - usage.cpu_seconds(os.getpid()))

    def launcher(self) -> Path:
        """Write a program that runs the scripted CLI, and return its path."""
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
            stdin=subprocess.PIPE,  # the process exits at the end of its standard input
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
    """Delay Ctrl-C until the end of the block, so that no server is left half-started."""
    received: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if received:
        raise KeyboardInterrupt
