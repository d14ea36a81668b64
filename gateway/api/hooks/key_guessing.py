"""A brake on guessing keys: an address that sent too many bad keys is rejected for the rest of the minute.

Only public addresses are counted. A private one may belong to a proxy that TRUSTED_PROXIES does not list; blocking it
would lock everyone out.
"""

import logging
import time
from ipaddress import ip_address

from flask import Flask, Response, request
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.strategies import FixedWindowRateLimiter

from gateway.answering.services import Services
from gateway.api.hooks.auth import find_sent_keys
from gateway.errors import LimitReached, StoreError

log = logging.getLogger(__name__)

SCOPE = "failed-auth"


def init_app(app: Flask, services: Services) -> None:
    """Count rejected keys from now on."""
    limit = services.settings.rate_limit_failed_auth_per_minute
    if not (services.settings.require_auth and limit):
        return
    item = RateLimitItemPerMinute(limit)
    limiter = FixedWindowRateLimiter(services.limits.storage)

    def check_address() -> None:
        if _is_counted() and not limiter.test(item, SCOPE, _address()):
            wait = max(1.0, limiter.get_window_stats(item, SCOPE, _address()).reset_time - time.time())
            raise LimitReached("Too many bad API keys came from your address.", retry_after=wait)

    def count_bad_key(response: Response) -> Response:
        if response.status_code == 401 and _is_counted():
            try:
                limiter.hit(item, SCOPE, _address(), cost=len(find_sent_keys()))
            except (StoreError, StorageError):
                log.warning("a bad API key could not be counted")
        return response

    app.before_request(check_address)
    app.after_request(count_bad_key)


def _is_counted() -> bool:
    try:
        return bool(find_sent_keys()) and ip_address(_address()).is_global
    except ValueError:  # a Unix socket has no address
        return False


def _address() -> str:
    return request.remote_addr or ""
