"""A WSGI app that streams one delta at once, to measure the share of the server itself (gunicorn with gevent)."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar


class _NoClaude:
    problem: ClassVar[None] = None

    def drain(self, seconds: float) -> None:
        """Drain nothing: nothing runs."""


class _NoChanges:
    changes: ClassVar[dict[str, Any]] = {}


class _NoServices:
    claude = _NoClaude()
    live_settings = _NoChanges()

    def close(self) -> None:
        """Close nothing."""


class Bare:
    """The app. `extensions` is the part of the gateway that gunicorn.conf.py uses."""

    def __init__(self) -> None:
        self.extensions = {"gateway": _NoServices()}

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes]:
        environ["wsgi.input"].read()
        start("200 OK", [("Content-Type", "text/event-stream")])
        return iter([b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n', b"data: [DONE]\n\n"])


app = Bare()
