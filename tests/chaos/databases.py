"""The databases that chaos can disturb: an SQLite file, or PostgreSQL with a Redis for the limits.

For example, these are the disturbances of an SQLite file:

    {"a locked database": lock, "a database that is moved": move}
"""

import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.support.gateway import Gateway
from tests.support.postgres import find_programs, run_server
from tests.support.redis_server import run_redis

Disturb = Callable[[Gateway], None]


@dataclass(frozen=True, slots=True)
class Databases:
    """Settings of a gateway that uses the databases, and their disturbances by name."""

    environ: Mapping[str, str]
    disturbances: Mapping[str, Disturb]


def use_file(folder: Path, stack: ExitStack) -> Databases:
    """Return a database in a file."""
    path = folder / "gateway.db"
    return Databases(
        {"DATABASE_URL": f"sqlite:///{path}"},
        {"a locked database": partial(_lock, path), "a database that is moved": partial(_move, path)},
    )


def use_servers(folder: Path, stack: ExitStack) -> Databases:
    """Start PostgreSQL and a Redis. Raises FileNotFoundError without PostgreSQL."""
    programs = find_programs()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed.")
    postgres = stack.enter_context(run_server(programs))
    redis = stack.enter_context(run_redis(folder))
    limits = {"RATE_LIMIT_STORAGE_URL": redis.url, "RATE_LIMIT_REQUESTS_PER_MINUTE": "100000"}

    def restart_redis(gateway: Gateway) -> None:
        redis.stop()
        redis.start()

    return Databases(
        {"DATABASE_URL": postgres.url, **limits},
        {
            "PostgreSQL restarts": lambda gateway: postgres.restart(),
            "PostgreSQL is away": partial(_use_without, postgres.stop, postgres.start),
            "Redis restarts": restart_redis,
            "Redis is away": partial(_use_without, redis.stop, redis.start),
        },
    )


def _lock(path: Path, gateway: Gateway) -> None:
    """Hold the write lock of the database for half a second."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        gateway.api.chat("hello")
        time.sleep(0.5)
        other.execute("rollback")


def _move(path: Path, gateway: Gateway) -> None:
    """Take the database file away, and put it back."""
    moved = path.rename(path.with_name("moved.db"))
    time.sleep(1.1)
    gateway.api.post("/v1/sessions", json={})
    moved.rename(path)


def _use_without(stop: Callable[[], None], start: Callable[[], None], gateway: Gateway) -> None:
    """Use the gateway while a server is stopped."""
    stop()
    try:
        gateway.api.chat("hello")
        gateway.api.post("/v1/responses", json={"input": "hello"})
        gateway.api.post("/v1/sessions", json={})
    finally:
        start()
