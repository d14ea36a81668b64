"""The watchdog: work that holds the loop is logged with its stack, waiting is not."""

import time
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent import monkey

from gateway.observe import watchdog
from gateway.observe.watchdog import Watchdog

_sleep = monkey.get_original("time", "sleep")


@pytest.fixture
def running_watchdog() -> Iterator[Watchdog]:
    started = Watchdog()
    started.start()
    gevent.sleep(0.06)
    yield started
    started.stop()


def compute_for_long() -> None:
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        sum(range(1000))


@pytest.mark.usefixtures("running_watchdog")
@pytest.mark.parametrize("hold", [compute_for_long, lambda: _sleep(0.4)], ids=["computes", "blocks"])
def test_work_that_holds_the_loop_is_logged_with_its_stack(
    caplog: pytest.LogCaptureFixture, hold: Callable[[], object]
) -> None:
    gevent.spawn(hold).join()
    gevent.sleep(0.1)
    (record,) = caplog.records
    assert "the event loop stood still for 0." in record.message
    assert "test_watchdog.py" in record.message


@pytest.mark.usefixtures("running_watchdog")
def test_loop_that_waits_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    gevent.sleep(0.5)
    assert caplog.records == []


def test_request_wakes_a_watchdog_that_looks_rarely(
    running_watchdog: Watchdog, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "DOZE_SECONDS", 60.0)
    deadline = time.monotonic() + 20
    while not running_watchdog._is_dozing:
        assert time.monotonic() < deadline
        gevent.sleep(0.3)  # not more often, because a busy loop keeps it awake
    gevent.spawn(compute_for_long).join()
    assert caplog.records == []
    for _ in range(2):  # the second call changes nothing
        running_watchdog.wake()
    gevent.spawn(compute_for_long).join()
    gevent.sleep(0.1)
    assert len(caplog.records) == 1


def test_watchdog_of_a_busy_loop_looks_often(running_watchdog: Watchdog) -> None:
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        gevent.sleep(0.005)
        assert not running_watchdog._is_dozing
