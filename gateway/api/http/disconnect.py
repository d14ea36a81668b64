"""Notice that a client has left, even while there is nothing to send to it.

A closed connection shows only on a write, and late. gunicorn puts the socket into the WSGI environment. Once the
request has been read, the socket becomes readable when the client hangs up.
"""

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent

READ = 1  # libev's EV_READ


@contextlib.contextmanager
def watch_client(environ: dict[str, Any], on_gone: Callable[[], None]) -> Iterator[None]:
    """Call `on_gone` if the client hangs up within the block. Has no effect under servers that hide the socket."""
    connection = environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    watcher = gevent.get_hub().loop.io(connection.fileno(), READ)
    watcher.start(_check_connection, watcher, connection, on_gone)
    try:
        yield
    finally:
        watcher.close()


def _check_connection(watcher: Any, connection: socket.socket, on_gone: Callable[[], None]) -> None:
    """Tell a hang-up from the client's next request. Runs in gevent's hub, so it must not block."""
    watcher.stop()
    try:
        is_gone = not connection.recv(1, socket.MSG_PEEK)
    except ValueError:  # TLS in gunicorn itself: its sockets cannot be peeked at
        return
    except OSError:
        is_gone = True
    if is_gone:
        gevent.spawn(on_gone)
