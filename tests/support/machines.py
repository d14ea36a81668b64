"""Gateways that stand for several machines: each has an address of its own, and they share a database and a Redis.

A scripted CLI answers. Each machine records the questions that reach it, so a test can tell if one was asked twice.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx2 as httpx

from tests.support.api_client import Api
from tests.support.gateway import Gateway, wait_for
from tests.support.scripted import ScriptedCli
from tests.support.sockets import free_port, is_listening


class Machine:
    """A gateway at an address like 127.0.0.2, which can be killed, drained and started again."""

    def __init__(self, address: str, folder: Path, settings: Mapping[str, str]) -> None:
        self.host = address
        self.port = free_port(address)
        self.upstream = f"{address}:{self.port}"
        folder.mkdir()
        self._cli = ScriptedCli(folder)
        self._asked = folder / "asked"
        self._asked.touch()
        self._settings = {**settings, **self._cli.environ, "HOST": address, "PORT": str(self.port)}
        self.gateway: Gateway | None = None

    def start(self) -> None:
        """Start the gateway, and wait until it can answer."""
        self.gateway = Gateway(self._settings)
        wait_for(self._is_warm)

    def _is_warm(self) -> bool:
        """Return whether the gateway answers and has a process."""
        with suppress(httpx.TransportError):  # its worker has not booted
            return int(self.api.health()["claude"]["warm"]) >= 1
        return False

    def kill(self) -> None:
        """End the gateway and all its processes at once, as a power failure would."""
        assert self.gateway
        os.killpg(self.gateway.process.pid, signal.SIGKILL)
        self.gateway.process.wait()
        wait_for(lambda: not is_listening(self.port, self.host))
        self.close()

    def drain(self) -> int:
        """Stop the gateway as an operator would, after its running answers. Return its exit code."""
        assert self.gateway
        code = self.gateway.stop(signal.SIGTERM)
        self.close()
        return code

    def close(self) -> None:
        """Stop the gateway if it runs, and remove its files."""
        if self.gateway is not None:
            self.gateway.close()
            self.gateway = None

    @property
    def api(self) -> Api:
        """Return a client that talks to this machine directly."""
        assert self.gateway
        return self.gateway.api

    @property
    def asked(self) -> list[str]:
        """Return the questions that reached the model through this machine."""
        return self._asked.read_text("utf-8").splitlines()
