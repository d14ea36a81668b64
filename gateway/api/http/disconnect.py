"""Notice that a client has left, even while there is nothing to send to it.

A closed connection shows only on a write, and late. gunicorn puts the socket into the WSGI environment. Once the
request has been read, the socket becomes readable when the client hangs up. A request that came over a WebSocket
learns it from the connection instead.
"""

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent

from gateway.api.http.socket_link import find_link
from gateway.errors import ClientGone, GatewayError

READ = 1  # libev's EV_READ


@contextlib.contextmanager
def watch_client(environ: dict[str, Any], stop: Callable[[GatewayError], None]) -> Iterator[None]:
    """Call `stop` if the client hangs up within the block. Has no effect under servers that hide the socket."""
    link = find_link(environ)
    if link is not None:
        with link.watch(stop):
            yield
        return
    connection = environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    watcher = gevent.get_hub().loop.io(connection.fileno(), READ)
    watcher.start(_check_connection, watcher, connection, stop)
    try:
        yield
    finally:
        watcher.close()


def _check_connection(watcher: Any, connection: socket.socket, stop: Callable[[GatewayError], None]) -> None:
    """Tell a hang-up from the client's next request. Runs in gevent's hub, so it must not block."""
    watcher.stop()
    try:
        is_gone = not connection.recv(1, socket.MSG_PEEK)
    except ValueError:  # TLS in gunicorn itself: its sockets cannot be peeked at
        return
    except OSError:
        is_gone = True
    if is_gone:
        gevent.spawn(stop, ClientGone())
