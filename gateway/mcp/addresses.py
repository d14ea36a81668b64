"""Connect to MCP servers without being led into the gateway's own network.

The host is resolved once, every address is checked, and the connection goes to a checked address. So a name that
resolves differently a moment later (DNS rebinding) has no effect. Redirects are not followed, and the proxies of the
environment are not used. Only servers of the operator's list may have private addresses.

>>> is_public("93.184.215.14"), is_public("169.254.169.254"), is_public("::ffff:127.0.0.1")
(True, False, False)
"""

import ipaddress
import socket
import ssl
from http.client import HTTPConnection
from urllib.parse import SplitResult

from gateway.mcp.failures import McpFailure

CONNECT_SECONDS = 10.0

# Addresses that carry an IPv4 address inside: NAT64, 6to4 and Teredo.
_TRANSLATED = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))


def is_public(address: str) -> bool:
    """Return True for an address of the public internet."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif any(found in network for network in _TRANSLATED):
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def open_connection(url: SplitResult, *, allow_private: bool, seconds: float) -> HTTPConnection:
    """Return a connection to the host of a URL. `seconds` limits each read. Raises McpFailure."""
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    address = _resolve(host, port, allow_private=allow_private)
    connection = HTTPConnection(host, port, timeout=seconds)
    try:
        plain = socket.create_connection((address, port), CONNECT_SECONDS)
        plain.settimeout(seconds)
        connection.sock = (
            ssl.create_default_context().wrap_socket(plain, server_hostname=host)
            if url.scheme == "https"
            else plain
        )
    except (OSError, ValueError) as error:
        raise McpFailure(f"it cannot be reached ({type(error).__name__})") from error
    return connection


def _resolve(host: str, port: int, *, allow_private: bool) -> str:
    """Return an address of the host. Raises McpFailure if any of its addresses is not allowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise McpFailure("its host name is unknown") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not allow_private and not all(map(is_public, addresses)):
        raise McpFailure("its address is not public, which only the operator can allow")
    return addresses[0]
