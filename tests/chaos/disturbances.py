"""Disturbances of a gateway. After each, it must answer as if nothing had happened.

Each disturbance holds if the same worker answers the next requests, no answer keeps its slot, and the log has no
traceback. For example:

    results = run_chaos(Path("/tmp/chaos"), seconds=10.0, seed=7)
    results["a killed process"]  # Result(tried=3, held=3, failure="")
"""

import random
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx2 as httpx
import psutil
import pytest

from tests.chaos.databases import Databases, use_file, use_servers
from tests.chaos.models import MODELS, Model
from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.small_disk import SmallDisk
from tests.support.sockets import SocketClient

DATABASE = "the database"
DISKS = {"TMPDIR": 2048, "the log": 2048, "the projects": 2048, DATABASE: 20_480}


@dataclass(slots=True)
class Result:
    """The number of attempts of a disturbance, the number that held, and the first failure."""

    tried: int = 0
    held: int = 0
    failure: str = ""


class Chaos:
    """A gateway and everything that can be disturbed. `cli` is a key of MODELS."""

    def __init__(
        self, folder: Path, stack: ExitStack, seed: int, *, cli: str = "scripted", with_servers: bool = False
    ) -> None:
        self.random = random.Random(seed)
        self.disks: dict[str, SmallDisk] = {}
        with suppress(pytest.skip.Exception):  # no right to mount: disks are left out
            for name, size in DISKS.items():
                if name != DATABASE or not with_servers:
                    self.disks[name] = stack.enter_context(SmallDisk(folder / name.replace(" ", "-"), size))
        paths = {name: folder / name.replace(" ", "-") for name in DISKS}
        for path in (*paths.values(), folder / "cli"):
            path.mkdir(exist_ok=True)
        self.model: Model = MODELS[cli](folder / "cli", stack)
        use = use_servers if with_servers else use_file
        self.databases: Databases = use(paths[DATABASE], stack)
        environ = {
            "TMPDIR": str(paths["TMPDIR"]),
            "LOG_FILE_PATH": str(paths["the log"] / "gateway.log"),
            "PROJECT_ROOT": str(paths["the projects"]),
            "ANTHROPIC_API_KEY": "sk-ant-dummy",
        }
        self.gateway = Gateway({**NOTHING_KEPT, **self.model.environ, **self.databases.environ, **environ})
        stack.callback(self.gateway.close)
        self.gateway.await_warm(2)
        (self.worker,) = self.gateway.workers

    def list_disturbances(self) -> dict[str, Callable[[], None]]:
        """Return the disturbances by name."""
        found: dict[str, Callable[[], None]] = {
            f"the model: {name.lower()}": partial(self.fail, name) for name in self.model.failures
        }
        found |= {f"full: {name}": partial(self.fill, name) for name in self.disks}
        found |= {name: partial(run, self.gateway) for name, run in self.databases.disturbances.items()}
        return found | {
            "a killed process": self.kill_process,
            "a stopped process": self.stop_process,
            "a client that leaves: head": lambda: self.leave(b"POST /v1/chat/completions HTTP/1.1\r\nHos"),
            "a client that leaves: body": lambda: self.leave(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n{"
            ),
            "a client that leaves: wait": lambda: self.leave_answer("HANGFIRST", b""),
            "a client that leaves: stream": lambda: self.leave_answer("HANGLATER", b"so far"),
            "a slow reader": self.read_slowly,
        }

    def fail(self, name: str) -> None:
        """Let the model fail in one way, with and without a stream."""
        with self.model.failing(name) as message:
            self.gateway.api.chat(message)
            with suppress(httpx.RemoteProtocolError):  # the gateway cut the stream off
                self.gateway.api.chat(message, stream=True)

    def fill(self, name: str) -> None:
        """Use the gateway while a disk is full."""
        self.disks[name].fill()
        try:
            self.gateway.api.chat("hello")
            self.gateway.api.post("/v1/responses", json={"input": "x" * 50_000})
            self.gateway.api.post("/v1/projects", json={"name": f"p{self.random.random()}"})
            self.gateway.api.get("/metrics")
        finally:
            self.disks[name].free()

    def signal_process(self, number: int) -> psutil.Process | None:
        """Send a signal to one of the CLI processes."""
        processes = self.gateway.cli_processes()
        if not processes:
            return None
        chosen = self.random.choice(processes)
        with suppress(psutil.NoSuchProcess):
            chosen.send_signal(number)
        return chosen

    def kill_process(self) -> None:
        """Kill one of the CLI processes."""
        self.signal_process(signal.SIGKILL)

    def stop_process(self) -> None:
        """Let a process hang while a request comes."""
        stopped = self.signal_process(signal.SIGSTOP)
        self.gateway.api.chat("hello")
        if stopped is not None:
            with suppress(psutil.NoSuchProcess):  # the gateway may have replaced it
                stopped.send_signal(signal.SIGCONT)

    def leave(self, data: bytes) -> None:
        """Send the beginning of a request, and hang up."""
        host, _, port = urlsplit(self.gateway.url).netloc.partition(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(data)

    def leave_answer(self, name: str, mark: bytes) -> None:
        """Hang up during an answer that hangs, after `mark` has arrived."""
        with self.model.failing(name) as message:
            client = SocketClient(self.gateway, message, stream=True)
            if mark:
                client.read_until(mark)
            client.hang_up(abruptly=self.random.random() < 0.5)

    def read_slowly(self) -> None:
        """Read a large answer in small pieces, and leave before its end."""
        with self.model.failing("HUGE") as message:
            client = SocketClient(self.gateway, message, buffer=2048, stream=True)
            for _ in range(10):
                client.socket.recv(1024)
                time.sleep(0.01)
            client.hang_up()

    def check(self) -> None:
        """Raise AssertionError unless the gateway works as at the beginning."""
        assert self.gateway.workers == [self.worker], "the worker was replaced"
        wait_for(self._is_well)
        assert "Traceback" not in self.gateway.log, "there is a traceback in the log"

    def _is_well(self) -> bool:
        answer = self.gateway.api.chat("hello")
        session = self.gateway.api.post("/v1/sessions", json={})
        health = self.gateway.api.get("/health").json()
        return (
            answer.status_code == session.status_code == 200
            and answer.json()["choices"][0]["message"]["content"] == "You said: hello"
            and health["status"] == "healthy"
            and health["claude"]["running"] == 0
        )


def run_chaos(
    folder: Path, seconds: float, seed: int, *, cli: str = "scripted", with_servers: bool = False
) -> dict[str, Result]:
    """Disturb a gateway for `seconds`, each way at least once if there is time. Return the results by name."""
    with ExitStack() as stack:
        chaos = Chaos(folder, stack, seed, cli=cli, with_servers=with_servers)
        disturbances = list(chaos.list_disturbances().items())
        results = {name: Result() for name, _ in disturbances}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            chaos.random.shuffle(disturbances)
            for name, disturb in disturbances:
                if time.monotonic() < deadline:
                    _try(chaos, disturb, results[name])
        return results


def _try(chaos: Chaos, disturb: Callable[[], None], result: Result) -> None:
    result.tried += 1
    try:
        disturb()
        chaos.check()
    except Exception as error:
        result.failure = result.failure or f"{type(error).__name__}: {error}"[:200]
    else:
        result.held += 1
