"""A small client for the running gateway, for the scripts behind `make`: nothing but the standard library."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from gateway.settings import Settings

EVERYWHERE = ("0.0.0.0", "::", "")


class NoAnswer(Exception):
    """Nobody answers at the address."""


class Refused(Exception):
    """The gateway answered with an error; `body` is what it said, JSON or text."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {_message(body)}")
        self.status = status
        self.body = body


class Client:
    """Talks to the gateway at BASE_URL with API_KEY, both from the environment.

    Without a BASE_URL it is the gateway of the settings, with the first of their keys, which goes nowhere else.
    """

    def __init__(self, settings: Settings, timeout: float = 600.0) -> None:
        elsewhere = os.environ.get("BASE_URL")
        own_key = "" if elsewhere else next(iter(settings.api_keys), "")
        self.url = (elsewhere or url_of(settings)).rstrip("/").removesuffix("/v1")
        self._key = os.environ.get("API_KEY") or own_key
        self._timeout = timeout
        # A gateway on this machine is not reached through a proxy.
        handlers = [] if elsewhere else [urllib.request.ProxyHandler({})]
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str) -> Any:
        """The JSON of an answer. Raises NoAnswer or Refused."""
        with self._open(path) as response:
            return json.load(response)

    def post(self, path: str, body: Any) -> Any:
        """The JSON of an answer. Raises NoAnswer or Refused."""
        with self._open(path, body) as response:
            return json.load(response)

    def stream(self, path: str, body: Any) -> Iterator[str]:
        """The data of each server-sent event as it comes. Raises NoAnswer or Refused."""
        with self._open(path, body) as response:
            for line in response:
                if line.startswith(b"data: "):
                    yield line.removeprefix(b"data: ").strip().decode()

    def _open(self, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers)
        try:
            return self._opener.open(request, timeout=self._timeout)
        except urllib.error.HTTPError as error:
            raise Refused(error.code, _parsed(error.read())) from error
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(
                f"{self.url} does not answer ({error}). Is the gateway running? make start"
            ) from error


def url_of(settings: Settings) -> str:
    """Where the gateway answers on this machine."""
    host = "127.0.0.1" if settings.host in EVERYWHERE else settings.host
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def _message(body: Any) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error["message"] if isinstance(error, dict) else error or body)
