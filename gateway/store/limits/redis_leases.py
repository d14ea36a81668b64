"""Leases in Redis, for several machines: a sorted set for each client, by the time they run out."""

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
    """See Leases. Scripts run one at a time in Redis: they are exact."""

    def __init__(self, url: str, **options: Any) -> None:
        self._redis = Redis.from_url(url.replace("redis+unix", "unix"), **options)
        self._acquire = self._redis.register_script(ACQUIRE)
        self._renew = self._redis.register_script(RENEW)

    def acquire(self, who: str, lease_id: str, most: int, seconds: float) -> bool:
        """Whether there was room for one more among `most`."""
        with _wrapped():
            return bool(self._acquire([_key(who)], [lease_id, most, seconds]))

    def renew(self, leases: Collection[tuple[str, str]], seconds: float) -> None:
        """Let leases run out `seconds` from now."""
        with _wrapped():
            for who, lease_id in leases:
                self._renew([_key(who)], [lease_id, seconds])

    def release(self, who: str, lease_id: str) -> None:
        """End a lease."""
        with _wrapped():
            self._redis.zrem(_key(who), lease_id)


def _key(who: str) -> Any:
    return f"LIMITS:leases/{who}"


@contextmanager
def _wrapped() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise StoreError(retry_after=1) from error
