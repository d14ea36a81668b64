"""The stand-in itself: a Messages API on a loopback port, scripted and questioned by tests."""

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
    """A Messages API at `url`, refusing what the real one refuses and answering what a test has scripted.

    `strict=False` turns the refusals off. `unknown_models`, and every model with "nonexistent" in its name,
    are answered 404. `faults` holds the tracebacks of scripted callables that failed. Use it as a context
    manager, or call `start` and `stop`; a stopped one can be started again.
    """

    def __init__(self, *, strict: bool = True, unknown_models: Collection[str] = ()) -> None:
        self.strict = strict
        self.unknown_models = set(unknown_models)
        self.faults: list[str] = []
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
        """Listen on 127.0.0.1, on any free port by default; raises `OSError` when the port is taken."""
        if self._server:
            raise RuntimeError("already started")
        self.stopping.clear()
        handler = type("BoundHandler", (Handler,), {"standin": self})
        self._server = _Server(("127.0.0.1", port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Wake everything that waits, close every socket, end every thread. Does nothing when stopped."""
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
        """Where it listens, without a trailing slash: the value for ANTHROPIC_BASE_URL."""
        if not self._server:
            raise RuntimeError("not started")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> Records:
        """All requests so far, in order of arrival: a copy of the list, of records that go on changing."""
        return self.ledger.snapshot()

    @property
    def messages(self) -> Records:
        """The requests to /v1/messages so far; `.last` is the latest."""
        return Records(record for record in self.requests if record.is_message)

    def reply(self, answer: Answer, when: When = None, times: int | None = None) -> None:
        """Script an answer: a reply, or a function from the request body to one.

        `when` limits it to requests whose last user message contains that text, or for whose body that
        function is true; `times` to that many uses. The latest scripted rule that applies wins.
        """
        self.script.add(answer, when, times)

    def default(self, answer: Answer) -> None:
        """Script the answer to requests for which no rule applies."""
        self.script.default = answer

    def reset(self) -> None:
        """Forget all requests, faults, rules and the default."""
        self.script.reset()
        self.ledger.clear()
        self.faults.clear()

    def begin(self) -> None:
        """As `reset`, for another test: whatever still goes on has nothing to do with it."""
        self.ledger.retire()
        self.reset()

    def wait_for(self, predicate: Callable[[], T], timeout: float = 20.0) -> T:
        """Return the predicate's first true value, looking after every change; raises `TimeoutError`."""
        return self.ledger.wait_for(predicate, timeout)

    def is_unknown(self, model: Any) -> bool:
        """The API knows no such model."""
        return isinstance(model, str) and (model in self.unknown_models or "nonexistent" in model)


class _Server(socketserver.TCPServer):
    """A thread for each connection, all of them remembered so that none outlives the server."""

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
        """Report a mistake in the stand-in; a client that went away is none."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """Close all connections and wait for their threads; raises `RuntimeError` when one does not end."""
        with self._lock:
            connections = dict(self._connections)
        for sock in connections:
            shut(sock)
        deadline = time.monotonic() + _JOIN_SECONDS
        for thread in connections.values():
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in connections.values()):
            raise RuntimeError("a scripted callable is still running")
