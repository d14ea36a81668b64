"""Notice that a client has left, even while there is nothing to send to it.

A closed connection shows on a write only, and late. gunicorn puts the socket into the WSGI environment: once the
request is read, it gets readable when the client hangs up.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from gevent.socket import wait_read


@contextlib.contextmanager
def watch(environ: dict[str, Any], on_gone: Callable[[], None]) -> Iterator[None]:
    """Call `on_gone` when the client hangs up within the block. Does nothing under servers without the socket."""
    connection = environ.get("gunicorn.socket")
    watcher = gevent.spawn(_wait, connection, on_gone) if connection is not None else None
    try:
        yield
    finally:
        if watcher is not None:
            watcher.kill(block=False)


def _wait(connection: socket.socket, on_gone: Callable[[], None]) -> None:
    try:
        wait_read(connection.fileno())
        gone = not connection.recv(1, socket.MSG_PEEK)
    except ValueError:  # TLS in gunicorn itself: its sockets cannot be peeked at
        return
    except OSError:
        gone = True
    if gone:  # else the client has sent its next request already
        on_gone()
