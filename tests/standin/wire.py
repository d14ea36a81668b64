"""One client's connection: writing a response to it, and noticing at once when the client hangs up."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

# Linux tells a hang-up from bytes sent ahead. Elsewhere such bytes hide it, and a wait looks up this often.
_TELLS_HANG_UP = hasattr(select, "POLLRDHUP")
_GLANCE = 0.01


class ClientGone(Exception):
    """The client hung up before the end of the response."""


class Stopped(Exception):
    """The stand-in is stopping."""


class Wire:
    """Writes responses to one socket. `stopping` tells a hang-up by the client from one by `StandIn.stop`."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self._sock = sock
        self._stopping = stopping

    def send(self, data: bytes) -> None:
        """Write everything; raises `ClientGone` or `Stopped`."""
        try:
            self._sock.sendall(data)
        except OSError:
            raise self._ended() from None

    def send_json(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str], is_head: bool
    ) -> None:
        """A whole response with a JSON body (left out in the answer to HEAD)."""
        data = json.dumps(body).encode()
        fields = {"content-type": "application/json", "content-length": str(len(data)), **headers}
        self.send(_head(status, fields) + (b"" if is_head else data))

    def start_stream(self, headers: Mapping[str, str]) -> bytes:
        """The head of a streamed response, to be sent together with its first chunk."""
        fields = {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            "transfer-encoding": "chunked",
            **headers,
        }
        return _head(200, fields)

    def wait_until(self, due: float) -> None:
        """Sleep up to that `time.monotonic()`; raises `ClientGone` or `Stopped` as soon as either happens."""
        while (left := due - time.monotonic()) > 0:
            if _stirs(self._sock, left):
                self._check()
                self._stopping.wait(min(left, _GLANCE))
            if self._stopping.is_set():
                raise Stopped

    def wait_for_ever(self) -> None:
        """Sleep until the client leaves (`ClientGone`) or the stand-in stops (`Stopped`)."""
        while True:
            self.wait_until(time.monotonic() + 3600)

    def drop(self) -> None:
        """Close the connection in mid-response. What was sent before still arrives."""
        shut(self._sock)

    def _check(self) -> None:
        """Raise unless the client has merely sent bytes ahead."""
        with suppress(OSError):
            if not _TELLS_HANG_UP and self._sock.recv(1, socket.MSG_PEEK):
                return
        raise self._ended()

    def _ended(self) -> Exception:
        return Stopped() if self._stopping.is_set() else ClientGone()


def shut(sock: socket.socket) -> None:
    """Wake whoever reads or writes the socket; it may be closed already."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def chunk(data: bytes) -> bytes:
    """Data framed as one chunk of a chunked response; no data is the last chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Overloaded"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _stirs(sock: socket.socket, timeout: float) -> bool:
    """The client has hung up within the timeout, or, where the system cannot tell, has sent something."""
    if not hasattr(select, "poll"):
        return bool(select.select([sock], [], [], timeout)[0])
    # Not `select`, which cannot take descriptors above 1023.
    poll = select.poll()
    poll.register(sock, getattr(select, "POLLRDHUP", select.POLLIN))
    return bool(poll.poll(timeout * 1000))
