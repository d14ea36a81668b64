"""Parts of Flask and its extensions that are switched off because they cost every request time and do nothing here.

Each figure is the CPU time per request, where Flask takes 45 µs for an empty view with a dozen hooks. Each trick has a
test in tests/unit/api/test_lean_flask.py that fails if the library changes so that it no longer works.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from flask import Flask, Request, Response, request
from flask_cors import CORS
from werkzeug.routing import MapAdapter


class LeanFlask(Flask):
    """Flask without async views, and without routes that depend on the host."""

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return the adapter that finds the request's route. Parsing its host for that takes 50 µs."""
        if request is None:
            return super().create_url_adapter(request)
        environ = request.environ
        return MapAdapter(
            self.url_map,
            server_name=environ.get("HTTP_HOST", ""),
            script_name=f"{request.root_path}/",
            subdomain="",
            url_scheme="ws" if "HTTP_UPGRADE" in environ and _is_websocket(environ) else request.scheme,
            path_info=request.path,
            default_method=request.method,
            query_args=environ.get("QUERY_STRING", ""),
        )

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return `func` as it is: no view or hook is async. Checking each of them takes 4 µs."""
        return func


def add_cors(
    app: Flask, paths: str, allows_page: Callable[[str, str], bool], exposed_headers: Collection[str]
) -> None:
    """Send CORS headers for the URL paths that match the regular expression `paths`, but only to allowed pages.

    `allows_page` decides by the headers `Origin` and `Host`. flask-cors' own hook takes 20 µs, even for clients that
    send no `Origin`.
    """
    # Errors pass the hook below like other responses.
    CORS(app, resources=paths, expose_headers=list(exposed_headers), intercept_exceptions=False)
    add_cors_headers = app.after_request_funcs[None].pop()

    def add_headers_for_browsers(response: Response) -> Any:
        origin = request.environ.get("HTTP_ORIGIN")
        if origin is None or not allows_page(origin, request.environ.get("HTTP_HOST", "")):
            return response
        return add_cors_headers(response)

    app.after_request(add_headers_for_browsers)


def _is_websocket(environ: Mapping[str, Any]) -> bool:
    """Return True for the handshake of a WebSocket, which has routes of its own."""
    connection = environ.get("HTTP_CONNECTION", "").lower().split(",")
    return environ["HTTP_UPGRADE"].lower() == "websocket" and "upgrade" in map(str.strip, connection)
