"""Writes to clients that read slowly or never, over real TCP connections."""

import time
from collections.abc import Iterator

import gevent
import pytest
from gevent import socket

from gateway.api.http.client_socket import ClientSocket

PATIENCE = 0.2
LARGE = b"x" * 8_000_000


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return a connection to a client with a small buffer, and the client."""
    with socket.socket() as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with ClientSocket.take_over(accepted) as taken:
            taken.settimeout(PATIENCE)
            yield taken, client


def test_client_that_never_reads_counts_as_gone(connection: tuple[socket.socket, socket.socket]) -> None:
    taken, _ = connection
    started = time.monotonic()
    with pytest.raises(BrokenPipeError):
        taken.sendall(LARGE)
    assert PATIENCE <= time.monotonic() - started < 20 * PATIENCE


def test_client_that_reads_slowly_gets_everything(connection: tuple[socket.socket, socket.socket]) -> None:
    """The pauses between reads are shorter than the timeout, but room for more takes many of them."""
    taken, client = connection
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 200_000)
    sent = b"y" * 300_000
    writer = gevent.spawn(taken.sendall, sent)
    received = 0
    while received < len(sent):
        data = client.recv(16_000)
        assert data, "the connection was closed"
        received += len(data)
        gevent.sleep(PATIENCE / 5)
    writer.get(timeout=5)


def test_client_that_leaves_is_noticed(connection: tuple[socket.socket, socket.socket]) -> None:
    taken, client = connection
    gevent.spawn_later(0.05, client.close)
    with pytest.raises(ConnectionError):
        taken.sendall(LARGE)


def test_file_is_sent_with_the_same_limit(
    connection: tuple[socket.socket, socket.socket], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("files") / "large"
    path.write_bytes(LARGE)
    taken, _ = connection
    with path.open("rb") as file, pytest.raises(BrokenPipeError):
        taken.sendfile(file)
