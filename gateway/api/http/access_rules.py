"""Decide which host names the gateway answers to, and which web pages may call it.

Without keys, any page that a user visits could spend the account behind the gateway: by a request to
`http://localhost:8000`, or by DNS rebinding, where the page's own name suddenly stands for 127.0.0.1. So the gateway
looks at two headers that browsers set and pages cannot change. `Host` must name this machine, and `Origin`, which only
browsers send, must belong to this machine or to an app. https://en.wikipedia.org/wiki/DNS_rebinding

With keys, a page needs one, so only ALLOWED_ORIGINS counts, if it is set.

>>> from gateway.settings import Settings
>>> rules = AccessRules(Settings(host="127.0.0.1"))
>>> rules.allows_host("localhost:8000"), rules.allows_host("rebind.evil.example")
(True, False)
>>> rules.allows_page("app://obsidian.md", "localhost"), rules.allows_page("https://evil.example", "localhost")
(True, False)
"""

import re
import socket
from collections.abc import Iterable
from functools import lru_cache

from gateway.exposure import ANY, is_loopback
from gateway.settings import Settings

#: Names that stand for this machine everywhere. https://www.rfc-editor.org/rfc/rfc6761#section-6.3
LOOPBACK_NAMES = ("localhost", "*.localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")
#: Names by which containers and virtual machines reach their host. No site can have a name in `.internal`.
CONTAINER_HOSTS = (
    "host.docker.internal",  # Docker
    "gateway.docker.internal",
    "kubernetes.docker.internal",
    "docker.for.mac.host.internal",
    "docker.for.win.host.internal",
    "host.containers.internal",  # Podman
    "host.lima.internal",
    "host.orb.internal",  # OrbStack
    "host.rancher-desktop.internal",
    "host.k3d.internal",
    "host.minikube.internal",
)
#: Schemes of pages that belong to an installed app or a browser extension. Sites have http, https or `null`.
APP_SCHEMES = (
    "app",  # Obsidian and other Electron apps
    "file",
    "tauri",
    "wails",
    "capacitor",
    "ionic",
    "vscode-webview",
    "vscode-file",
    "chrome-extension",
    "moz-extension",
    "safari-web-extension",
)
_ADDRESS = r"(?:\d{1,3}\.){3}\d{1,3}|\[[0-9a-f:.]+(?:%[\w.-]+)?\]"
_PORT = r"(?::\d+)?"
_LOOPBACK_ADDRESS = r"127(?:\.\d{1,3}){3}|0\.0\.0\.0|\[::1\]"
_REMEMBERED = 256  # clients send few different values, and each is at most 8 KB long


class AccessRules:
    """The rules of one app. They are compiled once, and decisions about the same headers are remembered."""

    def __init__(self, settings: Settings) -> None:
        self.asks_for_keys = settings.require_auth
        self._allows_all_pages = ANY in settings.allowed_origins or (
            settings.require_auth and not settings.allowed_origins
        )
        names = [*LOOPBACK_NAMES, *CONTAINER_HOSTS, *settings.allowed_hosts]
        own = "" if is_loopback(settings.host) else _network_names()
        self._hosts = re.compile(rf"(?:{_any_of(names)}|{_ADDRESS}{own})\.?{_PORT}", re.I)
        local = rf"https?://(?:{_any_of(LOOPBACK_NAMES)}|{_LOOPBACK_ADDRESS}){_PORT}"
        apps = rf"(?:{'|'.join(APP_SCHEMES)})://.*"
        listed = _any_of(origin.rstrip("/") for origin in settings.allowed_origins)
        self._pages = re.compile(f"{local}|{apps}|{listed}", re.I)
        self.allows_host = lru_cache(_REMEMBERED)(self._allows_host)
        self.allows_page = lru_cache(_REMEMBERED)(self._allows_page)

    def _allows_host(self, host: str) -> bool:
        """Return True if the gateway answers requests with this `Host`. Browsers always send one."""
        return self.asks_for_keys or not host or self._hosts.fullmatch(host) is not None

    def _allows_page(self, origin: str, host: str) -> bool:
        """Return True if pages of this `Origin` may call the gateway under this `Host`."""
        if not self._allows_host(host):
            return False
        if self._allows_all_pages or self._pages.fullmatch(origin):
            return True
        scheme, _, authority = origin.lower().partition("://")
        return scheme in ("http", "https") and _name_of(authority) == _name_of(host.lower())


def _network_names() -> str:
    """Return the names by which other machines and containers reach this one, as alternatives of a pattern.

    Names without a dot, such as the name of a service in Docker Compose, are known only to the local network, which
    can use the gateway anyway.
    """
    own = socket.gethostname()
    return f"|[a-z0-9_-]+|{_any_of((own, f'{own}.local'))}"


def _any_of(patterns: Iterable[str]) -> str:
    """Return a pattern for any of these texts, in which `*` stands for any part of a name."""
    parts = [re.escape(one).replace(r"\*", ".*" if one == ANY else r"[\w.-]+") for one in patterns]
    return "|".join(parts) or "(?!)"


def _name_of(authority: str) -> str:
    """Return the host of `host:port`."""
    return re.sub(r":\d+$", "", authority)
