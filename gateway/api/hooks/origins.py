"""Refuse requests that a web page of a stranger may have made a browser send. See `http.access_rules`."""

from flask import Flask, request

from gateway.api.http.access_rules import AccessRules
from gateway.errors import HostNotAllowed, OriginNotAllowed

_WITH_KEYS = "or require keys with REQUIRE_AUTH=true."


def init_app(app: Flask, rules: AccessRules) -> None:
    """Check every request from now on, preflights and unknown URLs included."""
    app.before_request(lambda: _check_sender(rules))


def _check_sender(rules: AccessRules) -> None:
    """Raise HostNotAllowed or OriginNotAllowed. With keys, only WebSockets are checked: they know no CORS."""
    environ = request.environ
    if rules.asks_for_keys and "HTTP_UPGRADE" not in environ:
        return
    host, origin = environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN")
    if not rules.allows_host(host):
        raise HostNotAllowed(
            f"The gateway does not answer to the name {host!r}. Use localhost or an IP address. To allow the name, add "
            f"it to ALLOWED_HOSTS, {_WITH_KEYS}",
            should_retry=False,
        )
    if origin and not rules.allows_page(origin, host):
        raise OriginNotAllowed(
            f"Web pages of {origin!r} may not use this gateway. To allow them, add the origin to ALLOWED_ORIGINS, "
            f"{_WITH_KEYS}",
            should_retry=False,
        )
