"""Read the addresses that trusted proxies write."""

from collections.abc import Callable, Iterable
from typing import Any

from gateway.addresses import bare_address

WsgiApp = Callable[..., Iterable[bytes]]


def strip_ports(inner: WsgiApp) -> WsgiApp:
    """Return the app behind a step that removes the port, which some proxies write into X-Forwarded-For."""

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["REMOTE_ADDR"] = bare_address(environ.get("REMOTE_ADDR", ""))
        return inner(environ, start_response)

    return serve
