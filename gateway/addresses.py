"""The addresses of clients, as sockets and proxies write them.

>>> bare_address("8.8.8.8:123"), bare_address("[2001:db8::1]:443")
('8.8.8.8', '2001:db8::1')
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_WITH_PORT = re.compile(r"\"?(?:\[(?P<v6>[^\]]+)\]|(?P<v4>[\d.]+))(?::\d+)?\"?")


def bare_address(text: str) -> str:
    """Return an entry of X-Forwarded-For without its port and brackets, which some proxies write."""
    found = _WITH_PORT.fullmatch(text)
    return (found["v6"] or found["v4"]) if found else text


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address; None for a Unix socket, which has none. An IPv4 address may come in the form of IPv6."""
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


@lru_cache(maxsize=1024)
def client_network(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the IPv6 /64 network that one subscriber has.

    >>> client_network("2001:db8::1"), client_network("::ffff:1.2.3.4")
    ('2001:db8::/64', '1.2.3.4')
    """
    parsed = parse_address(address)
    if parsed is None:
        return address or "unknown"
    return str(parsed if parsed.version == 4 else ip_network((parsed, 64), strict=False))
