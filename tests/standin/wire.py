"""A connection to one client: write a response, and notice at once if the client disconnects."""

import json
import select
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

# Linux reports a disconnect even if the client has sent more bytes. Elsewhere such bytes hide it, so that a wait has to
# look this often (seconds).
_REPORTS_DISCONNECT = hasattr(select, "POLLRDHUP")
_POLL_SECONDS = 0.01


class ClientGone(Exception):
    """The client disconnected before the end of the response."""


class Stopped(Exception):
    """The stand-in is stopping."""


class Wire:
    """Writes responses to one socket. `stopping` is set if `StandIn.stop` closed the socket, and not the client."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self._sock = sock
        self._stopping = stopping

    def send(self, data: bytes) -> None:
        """Write all of the data. Raises ClientGone or Stopped."""
        try:
            self._sock.sendall(data)
        except OSError:
            raise self._ended() from None

    def send_json(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str], is_head: bool
    ) -> None:
        """Write a complete response with a JSON body, or without the body for HEAD."""
        data = json.dumps(body).encode()
        fields = {"content-type": "application/json", "content-length": str(len(data)), **headers}
        self.send(_head(status, fields) + (b"" if is_head else data))

    def start_stream(self, headers: Mapping[str, str]) -> bytes:
        """Return the head of a streamed response, to be sent together with its first chunk."""
        fields = {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            "transfer-encoding": "chunked",
            **headers,
        }
        return _head(200, fields)

    def wait_until(self, due: float) -> None:
        """Sleep until this `time.monotonic()`. Raises ClientGone or Stopped as soon as either happens."""
        while (seconds := due - time.monotonic()) > 0:
            if _has_input(self._sock, seconds):
                self._check()
                self._stopping.wait(min(seconds, _POLL_SECONDS))
            if self._stopping.is_set():
                raise Stopped

    def wait_for_the_end(self) -> None:
        """Sleep until the client disconnects or the stand-in stops, and raise ClientGone or Stopped."""
        while True:
            self.wait_until(time.monotonic() + 3600)

    def drop(self) -> None:
        """Close the connection within the response. The data sent before still arrives."""
        shut(self._sock)

    def _check(self) -> None:
        """Raise ClientGone or Stopped unless the client has only sent more bytes."""
        with suppress(OSError):
            if not _REPORTS_DISCONNECT and self._sock.recv(1, socket.MSG_PEEK):
                return
        raise self._ended()

    def _ended(self) -> Exception:
        return Stopped() if self._stopping.is_set() else ClientGone()


def shut(sock: socket.socket) -> None:
    """Wake the thread that reads or writes the socket, which may be closed already."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def chunk(data: bytes) -> bytes:
    """Return the data as one chunk of a chunked response. No data is the last chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Overloaded"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _has_input(sock: socket.socket, timeout: float) -> bool:
    """Return whether the client disconnected in time or, where the system cannot tell these apart, sent something."""
    if not hasattr(select, "poll"):
        return bool(select.select([sock], [], [], timeout)[0])
    # `select` does not work with descriptors above 1023.
    poll = select.poll()
    poll.register(sock, getattr(select, "POLLRDHUP", select.POLLIN))
    return bool(poll.poll(timeout * 1000))
