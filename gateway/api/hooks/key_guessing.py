"""A brake on guessing keys: an address that sent too many bad ones is refused for the rest of a minute.

Only public addresses: a private one may be that of a proxy which TRUSTED_PROXIES does not tell of, and then one bad
client would shut out all.
"""

from __future__ import annotations

import logging
import time
from ipaddress import ip_address

from flask import Flask, Response, request
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.strategies import FixedWindowRateLimiter

from gateway.api.hooks import auth
from gateway.errors import LimitReached, StoreError
from gateway.settings import Settings

log = logging.getLogger(__name__)

SCOPE = "failed-auth"


def init_app(app: Flask, settings: Settings) -> None:
    """Count refused keys from now on. Has to come before auth's own check."""
    most = settings.rate_limit_failed_auth_per_minute
    if not (settings.require_auth and most):
        return
    item = RateLimitItemPerMinute(most)

    def window() -> FixedWindowRateLimiter:
        return FixedWindowRateLimiter(app.extensions["limits"].storage)

    def check() -> None:
        if _is_counted() and not window().test(item, SCOPE, _address()):
            wait = max(1.0, window().get_window_stats(item, SCOPE, _address()).reset_time - time.time())
            raise LimitReached("Too many bad API keys came from your address.", retry_after=wait)

    def count(response: Response) -> Response:
        if response.status_code == 401 and _is_counted():
            try:
                window().hit(item, SCOPE, _address())
            except (StoreError, StorageError):
                log.warning("a bad API key could not be counted")
        return response

    app.before_request(check)
    app.after_request(count)


def _is_counted() -> bool:
    try:
        return bool(auth.sent_key()) and ip_address(_address()).is_global
    except ValueError:  # a Unix socket has no address
        return False


def _address() -> str:
    return request.remote_addr or ""
