"""A streamed chat completion that is read in a thread, so that a test can act while it runs."""

import contextlib
import json
import threading
from typing import Any

import httpx2 as httpx

from tests.support.api_client import Body, chat_body, event_data
from tests.support.gateway import Gateway, port_of, wait_for


class BackgroundStream:
    """A running stream. `headers` and the client's `port` are known as soon as text has arrived."""

    def __init__(self, gateway: Gateway, content: str, **fields: Any) -> None:
        self.events: list[str] = []
        self.port = 0
        self.headers = httpx.Headers()
        body = chat_body(content, **fields, stream=True)
        self._thread = threading.Thread(target=self._read, args=(gateway.url, body), daemon=True)
        self._thread.start()

    def _read(self, url: str, body: Body) -> None:
        chat = f"{url}/v1/chat/completions"
        with httpx.stream("POST", chat, json=body, timeout=60, trust_env=False) as response:
            self.headers, self.port = response.headers, port_of(response)
            with contextlib.suppress(httpx.RemoteProtocolError):  # the test has killed the worker
                self.events.extend(event_data(response.iter_lines()))

    def await_text(self) -> None:
        """Wait until the model's first word has arrived. Raise AssertionError if the stream ends before."""
        wait_for(lambda: '"content":"word' in "".join(self.events) or not self._thread.is_alive(), 20)
        assert self._thread.is_alive(), self.events

    def await_end(self) -> list[str]:
        """Wait for the end of the stream and return the data of its events."""
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.events


def last_error_code(stream: BackgroundStream) -> str:
    """Wait for the end of the stream and return the code of the error that is its last event."""
    code: str = json.loads(stream.await_end()[-1])["error"]["code"]
    return code
