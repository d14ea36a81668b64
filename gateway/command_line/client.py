"""A small client of the running gateway, for the scripts behind `make`. It needs only the standard library."""

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from gateway.settings import Settings

ALL_ADDRESSES = ("0.0.0.0", "::", "")


class NoAnswer(Exception):
    """No server answers at the address."""


class Refused(Exception):
    """The gateway answered with an error. `body` is the parsed JSON, or the text."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {_find_message(body)}")
        self.status = status
        self.body = body


class Client:
    """A client of the gateway at BASE_URL, with the key API_KEY, both from the environment.

    Without BASE_URL, it uses the address and the first key of the settings. That key is never sent elsewhere.
    """

    def __init__(self, settings: Settings, timeout: float = 600.0) -> None:
        elsewhere = os.environ.get("BASE_URL")
        own_key = "" if elsewhere else next(iter(settings.api_keys), "")
        self.url = (elsewhere or url_of(settings)).rstrip("/").removesuffix("/v1")
        self._key = os.environ.get("API_KEY") or own_key
        self._timeout = timeout
        # A proxy cannot reach a gateway on this machine.
        handlers = [] if elsewhere else [urllib.request.ProxyHandler({})]
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str) -> Any:
        """Return the JSON of the answer. Raise NoAnswer or Refused."""
        with self._open(path) as response:
            return json.load(response)

    def post(self, path: str, body: Any) -> Any:
        """Return the JSON of the answer. Raise NoAnswer or Refused."""
        with self._open(path, body) as response:
            return json.load(response)

    def stream(self, path: str, body: Any) -> Iterator[str]:
        """Yield the data of each server-sent event as it arrives. Raise NoAnswer or Refused."""
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
            raise Refused(error.code, _parse(error.read())) from error
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(
                f"{self.url} does not answer ({error}). Start the gateway with: make start"
            ) from error


def url_of(settings: Settings) -> str:
    """Return the URL of the gateway on this machine."""
    host = "127.0.0.1" if settings.host in ALL_ADDRESSES else settings.host
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def _find_message(body: Any) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error["message"] if isinstance(error, dict) else error or body)
