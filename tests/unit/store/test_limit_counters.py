"""The counters of the limits: windows, budgets and leases."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import gevent
import pytest
from limits import RateLimitItemPerMinute
from limits.strategies import SlidingWindowCounterRateLimiter

from gateway.errors import StoreError
from gateway.store.database import Store
from gateway.store.limits import sliding_window
from gateway.store.limits.budgets import Allowance, Budgets
from gateway.store.limits.counters import SWEEP_SECONDS, DatabaseCounters
from gateway.store.limits.leases import DatabaseLeases, HeldSlots, Leases
from gateway.store.limits.redis_storage import RedisCounters, RedisLeases, RedisReservations
from gateway.store.limits.reservations import Amounts, Cap, DatabaseReservations, Reservations
from gateway.store.limits.sliding_window import RateLimitWindow, WindowStorage
from gateway.store.models import LimitCounter
from gateway.turn import Usage

NOON = datetime(2026, 2, 28, 12, 0, 30, tzinfo=timezone.utc).timestamp()
DAY = 86_400.0


class Clock:
    """A clock that stands still unless a test moves it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url, busy_seconds=0.01, pauses=(0.01,))
    store.open()
    yield store
    store.close()


@pytest.fixture
def storage(store: Store, clock: Clock) -> DatabaseCounters:
    return DatabaseCounters(store=store, now=clock)


# Windows


def test_fixed_window_counts_until_it_ends(storage: DatabaseCounters, clock: Clock) -> None:
    assert [storage.incr("a", 60, 2), storage.incr("a", 60), storage.incr("b", 60)] == [2, 3, 1]
    assert (storage.get("a"), storage.get_expiry("a"), storage.get("c")) == (3, NOON + 60, 0)
    clock.now += 59
    assert storage.incr("a", 60) == 4
    clock.now += 1
    assert (storage.get("a"), storage.get_expiry("a")) == (0, clock.now)
    assert storage.incr("a", 60, 5) == 5
    assert storage.get_expiry("a") == clock.now + 60


def test_previous_window_counts_by_its_share_of_the_period(storage: DatabaseCounters, clock: Clock) -> None:
    def passes() -> int:
        return sum(storage.acquire_sliding_window_entry("a", 60, 60) for _ in range(100))

    assert passes() == 60
    assert storage.get_sliding_window("a", 60) == (0, 30, 60, 90)
    clock.now += 29.9
    assert passes() == 0
    clock.now += 10.15  # 10.05 seconds into the next minute: a sixth of the previous one no longer counts, rounded down
    assert passes() == 11
    clock.now += 60
    assert passes() == 60 - 9
    clock.now += 200
    assert passes() == 60


@pytest.mark.parametrize("limit", [1, 3, 110])
def test_client_that_waits_as_told_is_admitted(storage: DatabaseCounters, clock: Clock, limit: int) -> None:
    """Rejected requests are not counted, and the wait is neither too long nor too short."""
    limiter = SlidingWindowCounterRateLimiter(storage)
    item = RateLimitItemPerMinute(limit)
    for _ in range(8):
        while limiter.hit(item, "me", "x"):
            pass
        window = sliding_window.read_window(storage, item, "me", "x")
        assert window.remaining == 0
        assert 0 < window.wait <= 60
        clock.now += window.wait - 0.01
        assert not any(limiter.hit(item, "me", "x") for _ in range(5))
        clock.now += 0.02
        assert sliding_window.read_window(storage, item, "me", "x").remaining == 1
        assert limiter.hit(item, "me", "x")


def test_counting_a_request_returns_the_window(storage: DatabaseCounters, clock: Clock) -> None:
    item = RateLimitItemPerMinute(3)
    results = [sliding_window.count_request(storage, item, "me", "x") for _ in range(4)]
    assert results == [(count <= 3, RateLimitWindow(3, 60, 0, min(count, 3), 30)) for count in range(1, 5)]
    clock.now += 60
    results = [sliding_window.count_request(storage, item, "me", "x") for _ in range(3)]
    assert results == [(count <= 2, RateLimitWindow(3, 60, 3, min(count, 2), 30)) for count in range(1, 4)]
    assert sliding_window.read_window(storage, item, "me", "x") == results[-1][1]


def test_window_reports_remaining_reset_and_wait() -> None:
    assert RateLimitWindow(10, 60, 0, 0, 30) == RateLimitWindow(10, 60, previous=0, current=0, seconds=30)
    figures = {
        (0, 0): (10, 0, 0),
        (0, 4): (6, 90, 0),
        (8, 0): (6, 30, 0),
        (0, 10): (0, 90, 30),
        (10, 8): (0, 90, 18),
    }
    for (previous, current), wanted in figures.items():
        window = RateLimitWindow(10, 60, previous, current, 30)
        assert (window.remaining, window.reset, window.wait) == wanted


def test_expired_windows_are_deleted(storage: DatabaseCounters, store: Store, clock: Clock) -> None:
    for number in range(20):
        storage.incr(f"old {number}", 10)
    clock.now += SWEEP_SECONDS + 1
    storage.incr("new", 10)
    keys = store.read(lambda db: [row.key for row in LimitCounter.select().execute(db)])
    assert keys == ["new"]


def test_windows_can_be_cleared(storage: DatabaseCounters) -> None:
    for key in ("a", "b", "c"):
        storage.incr(key, 60)
    storage.acquire_sliding_window_entry("s", 1, 60)
    storage.clear("a")
    storage.clear_sliding_window("s", 60)
    assert storage.get("a") == 0
    assert storage.acquire_sliding_window_entry("s", 1, 60)
    assert storage.check()
    assert storage.reset() == 3
    assert storage.get("b") == 0


def storage_calls(storage: DatabaseCounters) -> dict[str, Callable[[], object]]:
    return {
        "incr": lambda: storage.incr("a", 60),
        "get": lambda: storage.get("a"),
        "get_expiry": lambda: storage.get_expiry("a"),
        "acquire_sliding_window_entry": lambda: storage.acquire_sliding_window_entry("a", 5, 60),
        "get_sliding_window": lambda: storage.get_sliding_window("a", 60),
        "clear": lambda: storage.clear("a"),
        "clear_sliding_window": lambda: storage.clear_sliding_window("a", 60),
        "reset": lambda: storage.reset(),
    }


def lease_calls(found: Leases) -> dict[str, Callable[[], object]]:
    return {
        "acquire": lambda: found.acquire("me", "x", 1, 1),
        "renew": lambda: found.renew([("me", "x")], 1),
        "release": lambda: found.release("me", "x"),
    }


def test_locked_database_is_a_503_in_every_method(
    storage: DatabaseCounters, store: Store, tmp_path: Path
) -> None:
    calls = storage_calls(storage) | lease_calls(DatabaseLeases(store))
    store.close()
    with closing(sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)) as other:
        other.execute("pragma locking_mode = exclusive")  # in WAL mode only this keeps readers out
        other.execute("begin immediate")
        other.execute("insert into limit_counters values ('locked', 1, 1)")
        for call in calls.values():
            with pytest.raises(StoreError):
                call()
        assert not storage.check()
        other.execute("rollback")
    for call in calls.values():
        call()


# Budgets


@pytest.mark.parametrize(
    ("name", "ends_at"),
    [
        ("tokens_per_minute", datetime(2026, 2, 28, 12, 1, tzinfo=timezone.utc)),
        ("tokens_per_day", datetime(2026, 3, 1, tzinfo=timezone.utc)),
        ("usd_per_day", datetime(2026, 3, 1, tzinfo=timezone.utc)),
        ("tokens_per_month", datetime(2026, 3, 1, tzinfo=timezone.utc)),
        ("usd_per_month", datetime(2026, 3, 1, tzinfo=timezone.utc)),
    ],
)
def test_budget_starts_again_with_the_calendar(
    storage: DatabaseCounters, clock: Clock, name: str, ends_at: datetime
) -> None:
    budgets = Budgets(storage, clock)
    allowance = Allowance(**{name: 2})
    for used in (1, 1, 5):
        assert used == 5 or budgets.find_exhausted("me", allowance) is None
        budgets.charge("me", allowance, Usage(input_tokens=used, cost_usd=float(used)))
    found = budgets.find_exhausted("me", allowance)
    assert found is not None
    assert (found.name, found.limit, found.used) == (name, 2, 7)
    assert (found.ends_at, found.seconds) == (ends_at.timestamp(), ends_at.timestamp() - NOON)
    assert budgets.find_exhausted("you", allowance) is None
    clock.now = ends_at.timestamp() - 0.001
    assert budgets.find_exhausted("me", allowance)
    clock.now = ends_at.timestamp()
    assert budgets.find_exhausted("me", allowance) is None


def test_months_have_their_own_lengths(storage: DatabaseCounters, clock: Clock) -> None:
    budgets = Budgets(storage, clock)
    ends = []
    for _ in range(12):
        clock.now = budgets.get_state("me", "usd_per_month", 1).ends_at
        ends.append(datetime.fromtimestamp(clock.now, timezone.utc))
    assert [(end.day, end.hour, end.month) for end in ends] == [
        (1, 0, month) for month in [*range(3, 13), 1, 2]
    ]


def test_all_tokens_and_fractions_of_a_cent_count(storage: DatabaseCounters, clock: Clock) -> None:
    budgets = Budgets(storage, clock)
    allowance = Allowance(tokens_per_day=100, usd_per_day=1)
    usage = Usage(
        input_tokens=1,
        cache_read_tokens=20,
        cache_write_tokens=300,
        output_tokens=4000,
        thinking_tokens=5,
        cost_usd=0.000123,
    )
    budgets.charge("me", allowance, usage)
    budgets.charge("me", allowance, Usage())
    assert budgets.get_state("me", "tokens_per_day", 100).used == 4321
    assert budgets.get_state("me", "usd_per_day", 1).used == pytest.approx(0.000123)
    assert storage.reset() == 2  # no other budget was counted


def test_last_limit_to_reset_is_reported(storage: DatabaseCounters, clock: Clock) -> None:
    budgets = Budgets(storage, clock)
    allowance = Allowance(tokens_per_minute=1, tokens_per_day=1, usd_per_month=5)
    budgets.charge("me", allowance, Usage(output_tokens=1, cost_usd=1))
    found = budgets.find_exhausted("me", allowance)
    assert found is not None
    assert found.name == "tokens_per_day"


def test_limits_of_a_key_override_the_defaults() -> None:
    default = Allowance(requests_per_minute=100, tokens_per_day=5)
    assert default.with_overrides({}) is default
    own = default.with_overrides({"tokens_per_day": 0, "usd_per_day": 0.5, "of_a_later_version": 1})
    assert own == Allowance(requests_per_minute=100, usd_per_day=0.5)


# Leases


def check_leases(found: Leases, pass_time: Callable[[float], object]) -> None:
    """Check the behavior that both kinds of leases share."""
    assert [found.acquire("me", name, 2, 1.0) for name in "abc"] == [True, True, False]
    assert found.acquire("you", "d", 1, 1.0)
    found.release("me", "a")
    found.release("me", "a")
    assert found.acquire("me", "e", 2, 1.0)
    assert not found.acquire("me", "f", 1, 1.0)  # the limit was lowered
    pass_time(0.6)
    found.renew([("me", "b"), ("me", "unknown")], 1.0)
    pass_time(0.6)
    assert [found.acquire("me", name, 2, 1.0) for name in "gh"] == [True, False]  # the lease of e has expired
    pass_time(1.1)
    assert [found.acquire("me", name, 2, 1.0) for name in "ijk"] == [True, True, False]


def test_database_leases_limit_each_client(store: Store, clock: Clock) -> None:
    def pass_time(seconds: float) -> None:
        clock.now += seconds

    check_leases(DatabaseLeases(store, clock), pass_time)


def test_redis_leases_limit_each_client(redis_url: str) -> None:
    check_leases(RedisLeases(redis_url), gevent.sleep)


def check_reservations(found: Reservations, count: Callable[[str, int], object], pass_time: Any) -> None:
    """Check the behavior that both kinds of reservations share."""
    caps = [Cap("a", "usd", 100), Cap("b", "tokens", 1000)]

    def reserve(name: str, tokens: int, usd: int, client: str = "me") -> bool:
        return found.reserve(client, name, Amounts(tokens, usd), caps, 0.3)

    assert [reserve(name, 0, 60) for name in "cde"] == [True, True, False]  # the first has left 40
    assert reserve("f", 5000, 500, client="you")
    found.release("me", "c")
    found.release("me", "c")
    assert reserve("g", 1000, 0)
    assert not reserve("h", 0, 0)  # nothing is left of the tokens
    found.release("me", "g")
    count("a", 40)
    assert not reserve("i", 0, 0)  # d has reserved the other 60
    pass_time(0.2)
    found.renew([("me", "d"), ("me", "unknown")], 0.3)
    pass_time(0.2)
    assert not reserve("j", 0, 0)
    pass_time(0.4)
    assert reserve("k", 0, 0)  # the reservation of d has expired
    count("a", 60)
    assert not reserve("l", 0, 0)


def test_database_reservations_leave_no_budget_overdrawn(store: Store, clock: Clock) -> None:
    def pass_time(seconds: float) -> None:
        clock.now += seconds

    storage = DatabaseCounters(store=store, now=clock)
    check_reservations(
        DatabaseReservations(store, clock), lambda key, amount: storage.incr(key, 60, amount), pass_time
    )


def test_redis_reservations_leave_no_budget_overdrawn(redis_url: str) -> None:
    storage = RedisCounters(redis_url)
    check_reservations(
        RedisReservations(redis_url), lambda key, amount: storage.incr(key, 60, amount), gevent.sleep
    )


def test_request_that_was_counted_can_be_taken_back(storage: DatabaseCounters, redis_url: str) -> None:
    item = RateLimitItemPerMinute(2)
    counters: tuple[WindowStorage, ...] = (storage, RedisCounters(redis_url))
    for one in counters:
        hits = [sliding_window.count_request(one, item, "taken back", "x")[0] for _ in range(3)]
        sliding_window.take_back_request(one, item, "taken back", "x")
        hits += [sliding_window.count_request(one, item, "taken back", "x")[0] for _ in range(2)]
        assert hits == [True, True, False, True, False]


def test_leases_are_renewed_until_they_are_released(store: Store) -> None:
    held = HeldSlots(DatabaseLeases(store), lease_seconds=0.3, renew_seconds=0.05)
    free = held.acquire("me", 1)
    assert free is not None
    gevent.sleep(0.5)
    assert held.acquire("me", 1) is None
    free()
    free()
    again = held.acquire("me", 1)
    assert again is not None
    again()


class Failing:
    """Leases whose database fails after the first call."""

    def acquire(self, who: str, lease_id: str, most: int, seconds: float) -> bool:
        return True

    def renew(self, leases: Any, seconds: float) -> None:
        raise StoreError

    def release(self, who: str, lease_id: str) -> None:
        raise StoreError


def test_lease_that_cannot_be_renewed_or_released_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    free = HeldSlots(Failing(), renew_seconds=0.01).acquire("me", 1)
    assert free is not None
    gevent.sleep(0.05)
    free()
    assert "could not renew or check 1 lease" in caplog.text
    assert "could not be released" in caplog.text
