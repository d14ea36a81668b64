"""The watchdog: work that holds the loop is logged with its stack, waiting is not."""

import time
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent import monkey

from gateway.observe.watchdog import Watchdog

_sleep = monkey.get_original("time", "sleep")


@pytest.fixture
def _watchdog() -> Iterator[None]:
    watchdog = Watchdog()
    watchdog.start()
    gevent.sleep(0.06)
    yield
    watchdog.stop()


def compute_for_long() -> None:
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        sum(range(1000))


@pytest.mark.usefixtures("_watchdog")
@pytest.mark.parametrize("hold", [compute_for_long, lambda: _sleep(0.4)], ids=["computes", "blocks"])
def test_work_that_holds_the_loop_is_logged_with_its_stack(
    caplog: pytest.LogCaptureFixture, hold: Callable[[], object]
) -> None:
    gevent.spawn(hold).join()
    gevent.sleep(0.1)
    (record,) = caplog.records
    assert "the event loop stood still for 0." in record.message
    assert "test_watchdog.py" in record.message


@pytest.mark.usefixtures("_watchdog")
def test_loop_that_waits_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    gevent.sleep(0.5)
    assert caplog.records == []
