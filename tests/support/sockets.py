"""A client at the level of sockets, so that a test decides exactly when it sends, reads and hangs up.

Functions at the end of the module watch the CLI processes of a gateway.
"""

import contextlib
import json
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.support.gateway import Gateway, wait_for


class SocketClient:
    """One chat completion request, sent on its own connection. `fields` are added to the body.

    `url` replaces the gateway's URL, for example with the URL of a proxy. `key` is sent as x-api-key. `buffer` is the
    size of the receive buffer in bytes; a small one makes the gateway wait for the reader.
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
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        head += f"x-api-key: {key}\r\n" if key else ""
        self.socket.sendall(head.encode() + b"\r\n" + body)

    @property
    def status(self) -> int:
        """Return the HTTP status of the response that has been read."""
        return int(self.received.split(b" ", 2)[1])

    @property
    def request_id(self) -> str:
        """Return the request id; the head of the response must have been read."""
        return self.received.partition(b"x-request-id: ")[2].partition(b"\r\n")[0].decode()

    @property
    def events(self) -> list[str]:
        """Return the data of the events that have been read."""
        lines = self.received.decode().splitlines()
        return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]

    @property
    def body(self) -> Any:
        """Return the JSON body of a response that has been read completely."""
        return json.loads(self.received.partition(b"\r\n\r\n")[2])

    def read_until(self, mark: bytes, timeout: float = 60.0) -> bytes:
        """Read until `mark` arrives and return all that has been read. Raise AssertionError if the connection ends."""
        deadline = time.monotonic() + timeout
        while mark not in self.received:
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            data = self.socket.recv(1 << 16)
            assert data, f"closed before {mark!r}: {self.received!r}"
            self.received += data
        return self.received

    def read_body(self, timeout: float = 60.0) -> Any:
        """Read a response that is not a stream and return its JSON body."""
        self.read_until(b"\r\n\r\n{", timeout)
        wanted = int(self.received.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(self.received.partition(b"\r\n\r\n")[2]) < wanted:
            self.received += self.socket.recv(1 << 16)
        return self.body

    def hang_up(self, *, abruptly: bool = False) -> None:
        """Close the connection, `abruptly` with a reset."""
        if abruptly:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def free_port(host: str = "127.0.0.1") -> int:
    """Return a free port of a loopback address, for programs that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a program listens on this port of a loopback address."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


@contextlib.contextmanager
def hanging_up(*clients: SocketClient) -> Iterator[None]:
    """Close these connections at the end of the block, also after an error."""
    try:
        yield
    finally:
        for client in clients:
            client.hang_up()


def cli_figures(gateway: Gateway) -> dict[str, Any]:
    """Return the section of /health about the CLI's processes."""
    claude: dict[str, Any] = gateway.api.health()["claude"]
    return claude


def wait_until_idle(gateway: Gateway, warm: int, timeout: float = 60.0) -> list[int]:
    """Wait until the only CLI processes are `warm` idle ones, and return their pids."""
    idle = {"running": 0, "queued": 0, "starting": 0, "warm": warm, "processes": warm}
    wait_for(lambda: idle.items() <= cli_figures(gateway).items(), timeout)
    return cli_pids(gateway)


def kill_all_processes(gateway: Gateway, warm: int = 2) -> None:
    """Kill every CLI process as soon as `warm` processes are warm and no other is starting."""
    wait_for(lambda: {"warm": warm, "starting": 0}.items() <= cli_figures(gateway).items(), 30)
    for process in gateway.cli_processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def cli_pids(gateway: Gateway) -> list[int]:
    """Return the pids of the CLI processes."""
    return [process.pid for process in gateway.cli_processes()]


def have_ended(*pids: int) -> bool:
    """Return whether none of these processes runs. Init may not have reaped the processes of a dead worker."""
    return all(are_reaped(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE for pid in pids)


def are_reaped(*pids: int) -> bool:
    """Return whether all these processes have ended and been reaped."""
    return not any(psutil.pid_exists(pid) for pid in pids)
