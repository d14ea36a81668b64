"""A WSGI app that answers at once with one delta: what the server itself, gunicorn with gevent, takes for a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


class _NoClaude:
    def drain(self, seconds: float) -> None:
        """Drain nothing: nothing runs."""


class _NoServices:
    claude = _NoClaude()

    def close(self) -> None:
        """Close nothing."""


class Bare:
    """`extensions` is what gunicorn.conf.py expects of the gateway."""

    def __init__(self) -> None:
        self.extensions = {"gateway": _NoServices()}

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes]:
        environ["wsgi.input"].read()
        start("200 OK", [("Content-Type", "text/event-stream")])
        return iter([b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n', b"data: [DONE]\n\n"])


app = Bare()
