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

READ = 1  # libev's EV_READ


@contextlib.contextmanager
def watch(environ: dict[str, Any], on_gone: Callable[[], None]) -> Iterator[None]:
    """Call `on_gone` when the client hangs up within the block. Does nothing under servers without the socket."""
    connection = environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    watcher = gevent.get_hub().loop.io(connection.fileno(), READ)
    watcher.start(_look, watcher, connection, on_gone)
    try:
        yield
    finally:
        watcher.close()


def _look(watcher: Any, connection: socket.socket, on_gone: Callable[[], None]) -> None:
    """Runs in the hub, which must not wait for anything."""
    watcher.stop()
    try:
        is_gone = not connection.recv(1, socket.MSG_PEEK)
    except ValueError:  # TLS in gunicorn itself: its sockets cannot be peeked at
        return
    except OSError:
        is_gone = True
    if is_gone:  # else the client has sent its next request already
        gevent.spawn(on_gone)
