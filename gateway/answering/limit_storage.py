"""The place of the limits' counters and leases: Redis if the settings name one, otherwise the database."""

import time
from collections.abc import Callable
from typing import Any

from gateway.answering.limits import RequestLimits
from gateway.settings import Settings
from gateway.store.database import Store
from gateway.store.limits.counters import DatabaseCounters
from gateway.store.limits.leases import DatabaseLeases, HeldSlots
from gateway.store.limits.redis_storage import RedisCounters, RedisLeases, RedisReservations
from gateway.store.limits.reservations import DatabaseReservations, HeldReservations

REDIS_TIMEOUTS: dict[str, Any] = {"socket_timeout": 2.0, "socket_connect_timeout": 2.0}


def build_limits(settings: Settings, store: Store, now: Callable[[], float] = time.time) -> RequestLimits:
    """Return the limits of all clients. `now` is the clock of the limits in the database."""
    url = settings.rate_limit_storage_url
    if url is None:
        counters = DatabaseCounters(store=store, now=now)
        reservations = HeldReservations(DatabaseReservations(store, now))
        return RequestLimits(settings, counters, HeldSlots(DatabaseLeases(store)), reservations)
    storage = RedisCounters(url, wrap_exceptions=True, **REDIS_TIMEOUTS)
    slots = HeldSlots(RedisLeases(url, **REDIS_TIMEOUTS))
    return RequestLimits(settings, storage, slots, HeldReservations(RedisReservations(url, **REDIS_TIMEOUTS)))
