"""Demand: the largest recent burst of new conversations, and their rate."""

import pytest

from gateway.claude.fleet import demand as demand_module
from gateway.claude.fleet.demand import BURST_SECONDS, REMEMBER_SECONDS, Demand


class Clock:
    """A clock that stands still until a test moves it."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(demand_module, "time", clock)
    return clock


def test_burst_is_remembered_for_a_limited_time(clock: Clock) -> None:
    demand = Demand()
    assert demand.burst == 0
    for _ in range(8):
        demand.count_arrival()
    assert demand.burst == 8
    clock.now += BURST_SECONDS + 1
    demand.count_arrival()
    assert demand.burst == 8
    clock.now += REMEMBER_SECONDS - BURST_SECONDS
    assert demand.burst == 1
    clock.now += REMEMBER_SECONDS
    assert demand.burst == 0


def test_arrivals_far_apart_are_not_a_burst(clock: Clock) -> None:
    demand = Demand()
    for _ in range(5):
        demand.count_arrival()
        clock.now += BURST_SECONDS + 1
    assert demand.burst == 1


def test_rate_leaves_out_the_newest_burst(clock: Clock) -> None:
    demand = Demand()
    for _ in range(8):
        demand.count_arrival()
    assert demand.rate == 0
    clock.now += 1
    assert demand.rate == pytest.approx(8 / 9)
    clock.now += 10
    assert demand.rate == 0
