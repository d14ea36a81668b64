"""Counters and leases in Redis, for several machines.

Each client has a sorted set of leases, ordered by the time they expire, and another one of reservations.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from limits.storage import RedisStorage
from redis import Redis, RedisError

from gateway.errors import StoreError
from gateway.store.limits.reservations import Amounts, Cap
from gateway.store.limits.sliding_window import WindowCounts

NOW = "local time = redis.call('TIME'); local now = time[1] + time[2] / 1e6;"  # one clock for all machines
ACQUIRE = f"""{NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[3] * 1000))
return 1
"""
RENEW = f"""{NOW}
redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[2] * 1000))
"""
# The members of the set are ids. A hash has the amounts of each id. Counters are strings, as the library has them.
RESERVE = f"""{NOW}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do redis.call('HDEL', KEYS[2], id) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local reserved = {{tokens = 0, usd = 0}}
for _, amounts in ipairs(redis.call('HVALS', KEYS[2])) do
    local tokens, usd = string.match(amounts, '(%d+) (%d+)')
    reserved.tokens, reserved.usd = reserved.tokens + tokens, reserved.usd + usd
end
for i = 3, #KEYS do
    local unit, limit = ARGV[2 * i - 2], tonumber(ARGV[2 * i - 1])
    if (tonumber(redis.call('GET', KEYS[i])) or 0) + reserved[unit] >= limit then return 0 end
end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
for i = 1, 2 do redis.call('PEXPIRE', KEYS[i], math.ceil(ARGV[2] * 1000)) end
return 1
"""
RENEW_RESERVATION = f"""{RENEW}
redis.call('PEXPIRE', KEYS[2], math.ceil(ARGV[2] * 1000))
"""


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


class RedisReservations:
    """Reservations in Redis, as the protocol Reservations describes, beside the library's counters."""

    def __init__(self, url: str, **options: Any) -> None:
        self._redis = Redis.from_url(url.replace("redis+unix", "unix"), **options)
        self._reserve = self._redis.register_script(RESERVE)
        self._renew = self._redis.register_script(RENEW_RESERVATION)

    def reserve(
        self, client: str, reservation_id: str, amounts: Amounts, caps: Sequence[Cap], seconds: float
    ) -> bool:
        """Reserve `amounts` if all caps have something left. Return whether they had."""
        keys = [*_reservation_keys(client), *(f"{RedisStorage.PREFIX}:{cap.key}" for cap in caps)]
        values: list[Any] = [reservation_id, seconds, f"{amounts.tokens} {amounts.usd}"]
        values += [value for cap in caps for value in (cap.unit, cap.limit)]
        with _store_errors():
            return bool(self._reserve(keys, values))

    def renew(self, leases: Collection[tuple[str, str]], seconds: float) -> None:
        """Let reservations expire `seconds` from now."""
        with _store_errors():
            for client, reservation_id in leases:
                self._renew(_reservation_keys(client), [reservation_id, seconds])

    def release(self, client: str, lease_id: str) -> None:
        """End a reservation."""
        ids, amounts = _reservation_keys(client)
        with _store_errors():
            self._redis.zrem(ids, lease_id)
            self._redis.hdel(amounts, lease_id)


def _key(client: str) -> Any:
    return f"LIMITS:leases/{client}"


def _reservation_keys(client: str) -> list[Any]:
    return [f"LIMITS:reservations/{client}", f"LIMITS:reserved/{client}"]


@contextmanager
def _store_errors() -> Iterator[None]:
    """Turn Redis' errors into StoreError."""
    try:
        yield
    except RedisError as error:
        raise StoreError(retry_after=1) from error


class RedisCounters(RedisStorage):
    """The library's storage, with `hit` as DatabaseCounters has it."""

    STORAGE_SCHEME = ["redis", "rediss", "redis+unix"]  # noqa: RUF012  replaces the library's own class

    def hit(self, key: str, limit: int, expiry: int, amount: int = 1) -> tuple[bool, WindowCounts]:
        """Add to a sliding window if there is room. Return whether there was, and the counts after that."""
        is_admitted: bool = self.acquire_sliding_window_entry(key, limit, expiry, amount)
        return is_admitted, self.get_sliding_window(key, expiry)
