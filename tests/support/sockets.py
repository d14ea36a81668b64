"""A client down at the socket, so that a test says exactly when it sends, reads and leaves."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.support.gateway import Gateway, wait_for


class Caller:
    """A chat completion request, sent on a connection of its own. `fields` are added to the body.

    `url` is another way to the gateway, such as a proxy. `key` is sent as x-api-key. `buffer` is the size of the
    receive buffer in bytes; a small one makes the gateway wait for the reader.
    """

    def __init__(
        self,
        gateway: Gateway,
        content: str = "hi",
        *,
        buffer: int | None = None,
        key: str = "",
        url: str | None = None,
        **fields: Any,
    ) -> None:
        body = json.dumps({"messages": [{"role": "user", "content": content}], **fields}).encode()
        host, _, port = urlsplit(url or gateway.url).netloc.partition(":")
        self.received = b""
        self.socket = socket.socket()
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.connect((host, int(port)))
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        head += f"x-api-key: {key}\r\n" if key else ""
        self.socket.sendall(head.encode() + b"\r\n" + body)

    @property
    def status(self) -> int:
        """The HTTP status of what was read."""
        return int(self.received.split(b" ", 2)[1])

    @property
    def request_id(self) -> str:
        """The gateway's name for the request, once the head of its answer was read."""
        return self.received.partition(b"x-request-id: ")[2].partition(b"\r\n")[0].decode()

    @property
    def events(self) -> list[str]:
        """The data of the events that were read."""
        lines = self.received.decode().splitlines()
        return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]

    @property
    def body(self) -> Any:
        """The JSON body of an answer that was read whole."""
        return json.loads(self.received.partition(b"\r\n\r\n")[2])

    def read_until(self, mark: bytes, timeout: float = 60.0) -> bytes:
        """Read until `mark` has come; what has been read so far. AssertionError when it does not come."""
        deadline = time.monotonic() + timeout
        while mark not in self.received:
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            data = self.socket.recv(1 << 16)
            assert data, f"closed before {mark!r}: {self.received!r}"
            self.received += data
        return self.received

    def read_body(self, timeout: float = 60.0) -> Any:
        """Read an answer that is not a stream."""
        self.read_until(b"\r\n\r\n{", timeout)
        wanted = int(self.received.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(self.received.partition(b"\r\n\r\n")[2]) < wanted:
            self.received += self.socket.recv(1 << 16)
        return self.body

    def leave(self, *, abruptly: bool = False) -> None:
        """Hang up: in order, or `abruptly` with a reset."""
        if abruptly:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, for programs that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether somebody listens on the port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def leaving(*callers: Caller) -> Any:
    """Hang up at the end of the block, whatever happens in it."""
    try:
        yield
    finally:
        for caller in callers:
            caller.leave()


def figures(gateway: Gateway) -> dict[str, Any]:
    """What /health says of the CLI."""
    claude: dict[str, Any] = gateway.api.health()["claude"]
    return claude


def settle(gateway: Gateway, warm: int, timeout: float = 60.0) -> list[int]:
    """Wait until nothing runs but `warm` processes that wait; their pids."""
    idle = {"running": 0, "queued": 0, "starting": 0, "warm": warm, "processes": warm}
    wait_for(lambda: idle.items() <= figures(gateway).items(), timeout)
    return pids(gateway)


def kill_all(gateway: Gateway, warm: int = 2) -> None:
    """KILL every CLI process, once that many are warm and none is on its way."""
    wait_for(lambda: {"warm": warm, "starting": 0}.items() <= figures(gateway).items(), 30)
    for process in gateway.cli_processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def pids(gateway: Gateway) -> list[int]:
    """The CLI processes."""
    return [process.pid for process in gateway.cli_processes()]


def ended(*pids: int) -> bool:
    """Whether none of these processes runs; those of a worker that has ended are left for init to reap."""
    return all(gone(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE for pid in pids)


def gone(*pids: int) -> bool:
    """Whether all these processes have ended and are reaped."""
    return not any(psutil.pid_exists(pid) for pid in pids)
