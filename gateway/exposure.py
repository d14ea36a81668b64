"""Find out whether strangers can use a gateway that asks for no keys.

The log says it at start, the dashboard shows it, and `make deploy-check` reports it. For example:

>>> from gateway.settings import Settings
>>> describe_exposure(Settings(host="127.0.0.1"))
[]
>>> describe_exposure(Settings(host="127.0.0.1", allowed_origins=("*",)))
['Every web page that a user of this machine visits can use the gateway (ALLOWED_ORIGINS=*).']
"""

from ipaddress import ip_address

from gateway.settings import Settings

ANY = "*"


def is_loopback(host: str) -> bool:
    """Return True for an address that only this machine can reach."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def describe_exposure(settings: Settings) -> list[str]:
    """Return one sentence for each way in which strangers can use the gateway without a key."""
    if settings.require_auth:
        return []
    found = []
    if not is_loopback(settings.host):
        found.append(
            f"Every machine that reaches port {settings.port} can use the gateway (HOST={settings.host})."
        )
    if ANY in settings.allowed_origins:
        found.append(
            "Every web page that a user of this machine visits can use the gateway (ALLOWED_ORIGINS=*)."
        )
    if ANY in settings.allowed_hosts:
        found.append("Web pages can reach the gateway by DNS rebinding (ALLOWED_HOSTS=*).")
    return found
