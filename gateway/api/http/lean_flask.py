"""Parts of Flask and its extensions that are switched off because they cost every request time and do nothing here.

Each has its figure, measured with `python -m bench` on one core, and a test in tests/unit/api/test_lean_flask.py that
fails if the library changes so that the trick no longer works.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from flask import Flask, Request, Response, request
from flask.sessions import NullSession, SessionInterface
from flask_cors import CORS


class NoSessionInterface(SessionInterface):
    """Opens no session. Flask's session cookie is not used, and looking for it takes 0.02 ms per request."""

    _null_session = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """Return one session for all requests: nothing can be written to it."""
        return self._null_session


class LeanFlask(Flask):
    """Flask without sessions and async views."""

    session_interface = NoSessionInterface()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return `func` as it is: no view is async, and the check takes 0.01 ms per request, once per hook."""
        return func


def add_cors(app: Flask, paths: str, origins: Collection[str], exposed_headers: Collection[str]) -> None:
    """Send CORS headers for the URL paths that match the regular expression `paths`, but only to browsers.

    flask-cors' own hook takes 0.1 ms per request, even for the clients that send no `Origin`.
    """
    CORS(app, resources=paths, origins=list(origins), expose_headers=list(exposed_headers))
    add_cors_headers = app.after_request_funcs[None].pop()

    def add_headers_for_browsers(response: Response) -> Any:
        return add_cors_headers(response) if "origin" in request.headers else response

    app.after_request(add_headers_for_browsers)
