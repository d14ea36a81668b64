"""The connection of a client, with a limit for how long a client may do nothing.

A client that never reads would otherwise hold its slot and its process until TURN_TIMEOUT_SECONDS. A write that makes
no progress for the socket's timeout ends like a write to a client that has left. A slow reader makes progress: the
number of bytes on their way gets smaller, even if there is no room for more.

gunicorn's arbiter imports this module before gevent has patched, so it must not import the app.
"""

import errno
import fcntl
import struct
import termios

import gevent.socket
from gunicorn.http.errors import ParseException

Data = bytes | bytearray | memoryview


class RequestTimedOut(ParseException, TimeoutError):
    """The client has sent nothing of its request for the socket's timeout."""

    def __str__(self) -> str:
        return "The client stopped sending the request."


class ClientSocket(gevent.socket.socket):
    """A connection whose writes fail with BrokenPipeError if the client reads nothing for the socket's timeout."""

    __slots__ = ()

    @classmethod
    def take_over(cls, connection: gevent.socket.socket) -> gevent.socket.socket:
        """Return the connection as a ClientSocket, or unchanged if it has TLS. It stays the same object."""
        if type(connection) is gevent.socket.socket:
            connection.__class__ = cls
        return connection

    def recv(self, *args: int) -> bytes:
        """Return received bytes. Raises RequestTimedOut."""
        try:
            return super().recv(*args)
        except TimeoutError:
            raise RequestTimedOut from None

    def sendall(self, data: Data, flags: int = 0) -> None:  # type: ignore[override]
        """Send all of the data."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.send(rest, flags) :]

    def send(self, data: Data, flags: int = 0) -> int:  # type: ignore[override]
        """Send a part of the data and return its length; 0 if there is new room for another attempt."""
        try:
            return super().send(data, flags, timeout=0.0)  # type: ignore[call-arg]
        except BlockingIOError:
            self._await_room()
            return 0

    def _await_room(self) -> None:
        unread = self._count_unread()
        while True:
            try:
                gevent.socket.wait_write(self.fileno(), self.gettimeout(), TimeoutError())
            except TimeoutError:
                left = self._count_unread()
                if left >= unread:
                    raise BrokenPipeError(errno.EPIPE, "the client does not read") from None
                unread = left
            else:
                return

    def _count_unread(self) -> int:
        """Return the number of bytes that the client has not received yet (Linux: SIOCOUTQ in tcp(7))."""
        count: int = struct.unpack("i", fcntl.ioctl(self.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
        return count
