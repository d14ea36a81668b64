"""A brake on guessing keys: a client that sent too many bad keys gets 429 for more of them until the minute is over.

Good keys always pass, because others may share the address, such as an office. Guessing stays hopeless without a brake
(keys have 256 bits), but it would cost work and fill the log. What counts as one client is an IPv4 address or an IPv6
/64 network. Only public addresses are counted: a private one may belong to a proxy that TRUSTED_PROXIES does not list.
"""

import logging
import time

from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.strategies import FixedWindowRateLimiter

from gateway.addresses import client_network, parse_address
from gateway.answering.services import Services
from gateway.errors import LimitReached, StoreError

log = logging.getLogger(__name__)

SCOPE = "failed-auth"


class GuessingBrake:
    """Counts bad keys per client."""

    def __init__(self, services: Services) -> None:
        limit = services.settings.rate_limit_failed_auth_per_minute
        self._item = RateLimitItemPerMinute(limit) if limit else None
        self._limiter = FixedWindowRateLimiter(services.limits.storage)

    def count(self, address: str, keys: int) -> None:
        """Count the bad keys of one request. Raises LimitReached if its client has sent too many."""
        parsed = parse_address(address)
        if self._item is None or parsed is None or not parsed.is_global:
            return
        client = client_network(address)
        try:
            has_room = self._limiter.test(self._item, SCOPE, client)
            if has_room and self._limiter.hit(self._item, SCOPE, client, cost=keys):
                return
            reset_time = self._limiter.get_window_stats(self._item, SCOPE, client).reset_time
        except (StoreError, StorageError):
            log.warning("a bad API key could not be counted")
            return
        raise LimitReached(
            "Too many bad API keys came from your address.", retry_after=max(1.0, reset_time - time.time())
        )
