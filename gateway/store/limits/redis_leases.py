"""Leases in Redis, for several machines: each client has a sorted set of leases, ordered by the time they expire."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis, RedisError

from gateway.errors import StoreError

NOW = "local time = redis.call('TIME'); local now = time[1] + time[2] / 1e6;"  # one clock for all machines
ACQUIRE = (
    NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[3] * 1000))
return 1
"""
)
RENEW = (
    NOW
    + """
redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[2] * 1000))
"""
)


class RedisLeases:
    """Leases in Redis, as the protocol Leases describes. They are exact because Redis runs one script at a time."""

    def __init__(self, url: str, **options: Any) -> None:
        self._redis = Redis.from_url(url.replace("redis+unix", "unix"), **options)
        self._acquire = self._redis.register_script(ACQUIRE)
        self._renew = self._redis.register_script(RENEW)

    def acquire(self, client: str, lease_id: str, limit: int, seconds: float) -> bool:
        """Take a lease for `seconds` if the client has fewer than `limit`. Return whether it was taken."""
        with _store_errors():
            return bool(self._acquire([_key(client)], [lease_id, limit, seconds]))

    def renew(self, leases: Collection[tuple[str, str]], seconds: float) -> None:
        """Let leases expire `seconds` from now."""
        with _store_errors():
            for client, lease_id in leases:
                self._renew([_key(client)], [lease_id, seconds])

    def release(self, client: str, lease_id: str) -> None:
        """End a lease."""
        with _store_errors():
            self._redis.zrem(_key(client), lease_id)


def _key(client: str) -> Any:
    return f"LIMITS:leases/{client}"


@contextmanager
def _store_errors() -> Iterator[None]:
    """Turn Redis' errors into StoreError."""
    try:
        yield
    except RedisError as error:
        raise StoreError(retry_after=1) from error
