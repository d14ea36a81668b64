"""Counters and leases that several processes share, in the database and in Redis."""

import subprocess
import sys

import pytest
from limits import RateLimitItemPerMinute
from limits.errors import StorageError

from gateway.app import create_app
from gateway.errors import StoreError
from gateway.settings import Settings
from gateway.store.database import Store
from gateway.store.limits import sliding_window
from gateway.store.limits.budgets import Allowance, Budgets
from gateway.store.limits.counters import DatabaseCounters
from gateway.store.limits.redis_storage import RedisCounters, RedisLeases
from gateway.store.limits.sliding_window import RateLimitWindow
from gateway.turn import Usage
from tests.support.gateway import ROOT
from tests.unit.store.test_limit_counters import lease_calls

COUNT_AND_LEASE = """
import sys
from gateway.store.database import Store
from gateway.store.limits.leases import DatabaseLeases
from gateway.store.limits.counters import DatabaseCounters
from gateway.store.limits.redis_storage import RedisCounters, RedisLeases, RedisReservations
from gateway.store.limits.reservations import Amounts, Cap, DatabaseReservations

url, name = sys.argv[1:]
if url.startswith("sqlite"):
    store = Store(url)
    storage, leases = DatabaseCounters(store=store, now=lambda: 1e9), DatabaseLeases(store, lambda: 1e9)
    reservations = DatabaseReservations(store, lambda: 1e9)
else:
    storage, leases, reservations = RedisCounters(url), RedisLeases(url), RedisReservations(url)
sys.stdin.readline()
taken = sum(storage.acquire_sliding_window_entry("window", 100, 3600) for _ in range(150))
held = sum(leases.acquire("me", f"{name} {number}", 50, 600) for number in range(60))
cap = Cap("budget", "usd", 1000)
reserved = sum(reservations.reserve("me", f"{name} {number}", Amounts(1, 7), [cap], 600) for number in range(80))
for _ in range(100):
    storage.incr("sum", 3600, 3)
print(taken, held, reserved)
"""


def run_three_processes(url: str) -> tuple[int, ...]:
    """Run three processes, and return their numbers of admitted requests, of leases and of reservations."""
    command = [sys.executable, "-W", "error", "-c", COUNT_AND_LEASE, url]
    started = [
        subprocess.Popen([*command, name], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in "abc"
    ]
    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    counts = [tuple(map(int, process.communicate(timeout=60)[0].split())) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    return tuple(map(sum, zip(*counts, strict=True)))


def test_counts_of_several_processes_are_exact_in_the_database(database_url: str, store: Store) -> None:
    assert run_three_processes(database_url) == (100, 50, 143)
    assert DatabaseCounters(store=store, now=lambda: 1e9).get("sum") == 900


def test_counts_of_several_processes_are_exact_in_redis(redis_url: str) -> None:
    assert run_three_processes(redis_url) == (100, 50, 143)
    assert RedisCounters(redis_url).get("sum") == 900


def test_budgets_are_counted_in_redis(redis_url: str) -> None:
    budgets = Budgets(RedisCounters(redis_url))
    allowance = Allowance(usd_per_month=0.5)
    budgets.charge("me", allowance, Usage(cost_usd=0.4))
    assert budgets.find_exhausted("me", allowance) is None
    budgets.charge("me", allowance, Usage(cost_usd=0.2))
    found = budgets.find_exhausted("me", allowance)
    assert found is not None
    assert found.used == pytest.approx(0.6)


def test_windows_in_redis_report_the_same_values(redis_url: str) -> None:
    storage = RedisCounters(redis_url)
    item = RateLimitItemPerMinute(3)
    assert sliding_window.read_window(storage, item, "reader", "x") == RateLimitWindow(3, 60, 0, 0, 0)
    results = [sliding_window.count_request(storage, item, "reader", "x") for _ in range(4)]
    assert [passed for passed, _ in results] == [True, True, True, False]
    assert [window.current for _, window in results] == [1, 2, 3, 3]
    window = sliding_window.read_window(storage, item, "reader", "x")
    assert (window.remaining, window.current) == (0, 3)
    assert 30 < window.wait <= 60


def test_app_counts_in_redis(redis_url: str, database_url: str) -> None:
    settings = Settings(
        database_url=database_url,
        rate_limit_storage_url=redis_url,
        rate_limit_requests_per_minute=3,
        rate_limit_burst=0,
        rate_limit_answers_at_once=1,
        rate_limit_usd_per_day=1,
    )
    client = create_app(settings).test_client()
    answers = [client.post("/v1/chat/completions", json={}, buffered=True) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [400, 400, 400, 429]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["2", "1", "0", "0"]


def test_unreachable_redis_is_a_503() -> None:
    url = "redis://127.0.0.1:1"
    for call in lease_calls(RedisLeases(url)).values():
        with pytest.raises(StoreError):
            call()
    with pytest.raises(StorageError):
        RedisCounters(url, wrap_exceptions=True).get("a")
