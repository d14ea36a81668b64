"""Demand remembers the largest recent burst, and forgets it."""

from __future__ import annotations

import pytest

from gateway.claude.fleet import demand
from gateway.claude.fleet.demand import BURST_SECONDS, REMEMBER_SECONDS, Demand


class Clock:
    """A clock that stands until it is set."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(demand, "time", clock)
    return clock


def test_a_burst_is_remembered_and_forgotten(clock: Clock) -> None:
    wanted = Demand()
    assert wanted.burst == 0
    for _ in range(8):
        wanted.note()
    assert wanted.burst == 8
    clock.now += BURST_SECONDS + 1
    wanted.note()
    assert wanted.burst == 8
    clock.now += REMEMBER_SECONDS - BURST_SECONDS
    assert wanted.burst == 1
    clock.now += REMEMBER_SECONDS
    assert wanted.burst == 0


def test_arrivals_far_apart_are_no_burst(clock: Clock) -> None:
    wanted = Demand()
    for _ in range(5):
        wanted.note()
        clock.now += BURST_SECONDS + 1
    assert wanted.burst == 1
