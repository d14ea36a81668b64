"""The address under which a browser reaches the gateway, for pages that show it."""

from flask import request


def is_https() -> bool:
    """Return whether the browser uses https, as far as a proxy says.

    Any client can send this header, but it only changes the client's own page and makes its own cookie stricter.
    """
    return request.is_secure or request.headers.get("x-forwarded-proto") == "https"


def own_address() -> str:
    """Return the address without a path, for example `https://gateway.example.com`."""
    return f"{'https' if is_https() else request.scheme}://{request.host}"
