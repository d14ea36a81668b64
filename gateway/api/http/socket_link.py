"""The link between a request that came over a WebSocket and its connection.

Each message of a WebSocket becomes a request to the app itself (see `views.response_socket`), so it takes the same road
as a POST. The link in its WSGI environment is all that such a request knows of the connection.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, cast

from gateway.answering.connection_memory import ConnectionMemory
from gateway.errors import GatewayError

_KEY = "gateway.socket_link"

Stop = Callable[[GatewayError], None]


class SocketLink:
    """A connection as its requests see it: its memory, and the news that the client has left or cancels."""

    def __init__(self) -> None:
        self.memory = ConnectionMemory()
        self._stop: Stop | None = None
        self._gone: GatewayError | None = None

    def attach(self, environ: dict[str, Any]) -> None:
        """Link the request of this environment to the connection."""
        environ[_KEY] = self

    @contextlib.contextmanager
    def watch(self, stop: Stop) -> Iterator[None]:
        """Call `stop` with the reason if the answer has to end within the block."""
        self._stop = stop
        if self._gone is not None:
            stop(self._gone)
        try:
            yield
        finally:
            self._stop = None

    def cancel(self, reason: GatewayError) -> None:
        """Stop the running answer, if there is one."""
        if self._stop is not None:
            self._stop(reason)

    def report_gone(self, reason: GatewayError) -> None:
        """Stop the running answer and all later ones: the client has left."""
        self._gone = reason
        self.cancel(reason)


def find_link(environ: dict[str, Any]) -> SocketLink | None:
    """Return the link of a request; None if it came over HTTP."""
    return cast("SocketLink | None", environ.get(_KEY))
