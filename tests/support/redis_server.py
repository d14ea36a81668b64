"""A Redis server for tests, on a free port of 127.0.0.1. It saves every change, so a restart loses nothing."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.gateway import wait_for
from tests.support.sockets import free_port, is_listening

PROGRAM = shutil.which("redis-server")


class RedisServer:
    """A running server, whose files are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start the server and wait until it listens."""
        assert PROGRAM
        options = ("--save", "", "--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning")
        command = [PROGRAM, "--port", str(self._port), "--bind", "127.0.0.1", *options]
        self._process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL)
        wait_for(lambda: is_listening(self._port))

    def stop(self) -> None:
        """Stop the server, which cuts all connections."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)


@contextmanager
def run_redis(folder: Path) -> Iterator[RedisServer]:
    """Run a server during the block."""
    server = RedisServer(folder)
    try:
        yield server
    finally:
        server.stop()
