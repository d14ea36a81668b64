"""Idle processes are given up while memory is short."""

import time
from pathlib import Path

import pytest

from gateway.claude.fleet.memory_guard import (
    HEADROOM_BYTES,
    MAX_BYTES_PER_SECOND,
    STALLED_HEADROOM_BYTES,
    MemoryGuard,
)
from gateway.memory import PROCESS_BYTES, MemoryGauge


class Gauge(MemoryGauge):
    """A gauge that shows what the test says."""

    def __init__(self, left: int | None, *, stalled: bool = False) -> None:
        super().__init__(root=Path("/nowhere"))
        self.left, self.stalled = left, stalled

    def available(self) -> int | None:
        return self.left

    def is_stalled(self, seconds: float) -> bool:
        return self.stalled


@pytest.mark.parametrize(
    ("gauge", "given_up", "is_short"),
    [
        (Gauge(HEADROOM_BYTES), 0, False),
        (Gauge(HEADROOM_BYTES - 1), 1, True),
        (Gauge(HEADROOM_BYTES - PROCESS_BYTES - 1), 2, True),
        (Gauge(STALLED_HEADROOM_BYTES, stalled=True), 0, False),
        (Gauge(STALLED_HEADROOM_BYTES - 1, stalled=True), 1, True),
        (Gauge(None, stalled=True), 0, False),
    ],
    ids=["enough", "short", "very short", "stalled with much memory", "stalled", "unknown"],
)
def test_as_many_processes_are_given_up_as_memory_is_missing(
    gauge: Gauge, given_up: int, is_short: bool
) -> None:
    guard = MemoryGuard(gauge, lambda: True)
    guard.check()
    assert (guard.given_up, guard.is_short) == (given_up, is_short)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that the guard sees."""
    seconds = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])
    return seconds


def test_nothing_is_given_up_if_there_is_nothing_idle(
    caplog: pytest.LogCaptureFixture, clock: list[float]
) -> None:
    gauge = Gauge(0)
    guard = MemoryGuard(gauge, lambda: False)
    for _ in range(2):
        guard.check()
        clock[0] += guard.pause
    assert (guard.given_up, guard.is_short) == (0, True)
    assert caplog.text.count("memory is short") == 1
    gauge.left = HEADROOM_BYTES
    guard.check()
    assert not guard.is_short


def test_no_more_is_given_up_before_a_process_has_returned_its_memory(clock: list[float]) -> None:
    """The end of the process that was given up makes the fleet look again."""
    guard = MemoryGuard(Gauge(HEADROOM_BYTES - 1), lambda: True)
    guard.check()
    guard.check()
    assert guard.given_up == 1
    clock[0] += guard.pause
    guard.check()
    assert guard.given_up == 2


def test_much_memory_is_not_looked_at_again_before_it_could_be_used_up(clock: list[float]) -> None:
    gauge = Gauge(STALLED_HEADROOM_BYTES + 3 * MAX_BYTES_PER_SECOND)
    guard = MemoryGuard(gauge, lambda: False)
    guard.check()
    gauge.left = 0
    clock[0] = 102.9
    guard.check()
    assert not guard.is_short
    clock[0] = 103.0
    guard.check()
    assert guard.is_short
