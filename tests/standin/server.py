"""The stand-in itself: a Messages API on a loopback port, which tests script and inspect."""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from .handler import Handler
from .records import Ledger, Records
from .script import Answer, Script, When
from .wire import shut

T = TypeVar("T")

_JOIN_SECONDS = 5.0


class StandIn:
    """A Messages API at `url` that rejects the requests that the real one rejects, and sends scripted replies.

    `strict=False` turns the rules off. `unknown_models`, and all models with "nonexistent" in their names, are answered
    with 404. `script_errors` holds the tracebacks of scripted callables that failed. Use it as a context manager, or
    call `start` and `stop`; it can be started again after it has stopped.
    """

    def __init__(self, *, strict: bool = True, unknown_models: Collection[str] = ()) -> None:
        self.strict = strict
        self.unknown_models = set(unknown_models)
        self.script_errors: list[str] = []
        self.ledger = Ledger()
        self.script = Script()
        self.stopping = threading.Event()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> StandIn:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self, port: int = 0) -> StandIn:
        """Listen on 127.0.0.1, by default on any free port. Raises OSError if the port is in use."""
        if self._server:
            raise RuntimeError("The stand-in has already started.")
        self.stopping.clear()
        handler = type("BoundHandler", (Handler,), {"standin": self})
        self._server = _Server(("127.0.0.1", port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Wake all waiting threads, close all sockets and end all threads. Does nothing if it has stopped."""
        if not self._server or not self._thread:
            return
        self.stopping.set()
        self._server.shutdown()
        self._thread.join(_JOIN_SECONDS)
        self._server.hang_up()
        self._server.server_close()
        self._server = self._thread = None

    @property
    def url(self) -> str:
        """Return the URL without a trailing slash, which is the value for ANTHROPIC_BASE_URL."""
        if not self._server:
            raise RuntimeError("The stand-in has not started.")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> Records:
        """Return all requests so far in order of arrival. The list is a copy; its records continue to change."""
        return self.ledger.snapshot()

    @property
    def messages(self) -> Records:
        """Return the requests to /v1/messages so far. `.last` is the latest one."""
        return Records(record for record in self.requests if record.is_message)

    def reply(self, answer: Answer, when: When = None, times: int | None = None) -> None:
        """Script an answer: a reply, or a function that returns one for the body of a request.

        `when` is a text that the last user message has to contain, or a function of the body that has to be true.
        `times` is the number of requests after which the answer is used up. If several answers apply, the newest one
        is used.
        """
        self.script.add(answer, when, times)

    def default(self, answer: Answer) -> None:
        """Script the answer to requests to which no other answer applies."""
        self.script.default = answer

    def reset(self) -> None:
        """Forget all requests, answers and errors, and restore the default."""
        self.script.reset()
        self.ledger.clear()
        self.script_errors.clear()

    def begin(self) -> None:
        """Reset for the next test, and ignore further requests of CLI sessions that the previous test used."""
        self.ledger.retire()
        self.reset()

    def wait_for(self, predicate: Callable[[], T], timeout: float = 20.0) -> T:
        """Return the first true value of the predicate, which is evaluated after every change.

        Raises TimeoutError after `timeout` seconds.
        """
        return self.ledger.wait_for(predicate, timeout)

    def is_unknown(self, model: Any) -> bool:
        """Return whether the API does not know this model."""
        return isinstance(model, str) and (model in self.unknown_models or "nonexistent" in model)


class _Server(socketserver.TCPServer):
    """A server with one thread per connection, which remembers its threads so that none outlives it."""

    allow_reuse_address = True
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], handler: type[Handler]) -> None:
        super().__init__(address, handler)
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(target=self._run, args=(request, client_address), daemon=True)
        with self._lock:
            self._connections[request] = thread
        thread.start()

    def _run(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:
            self.handle_error(request, client_address)
        with self._lock:
            self._connections.pop(request, None)
        self.shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a mistake in the stand-in, but not a client that disconnected."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """Close all connections and wait for their threads. Raises RuntimeError if one does not end."""
        with self._lock:
            connections = dict(self._connections)
        for sock in connections:
            shut(sock)
        deadline = time.monotonic() + _JOIN_SECONDS
        for thread in connections.values():
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in connections.values()):
            raise RuntimeError("A scripted callable is still running.")
