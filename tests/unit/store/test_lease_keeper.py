"""The greenlet that renews leases, with a clock of its own: no test waits for real time."""

from collections.abc import Collection

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

from gateway.errors import StoreError
from gateway.store.lease_keeper import LeaseKeeper


class Clock:
    """A clock that stands still until `pass_poll`, and the sleep that goes with it."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self._wake_ups: Queue[None] = Queue()
        self._sleeping = Event()

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self._sleeping.set()
        self._wake_ups.get()
        self.seconds += seconds

    def pass_poll(self) -> None:
        """Let the keeper wake up once, and wait until it sleeps again or has ended."""
        assert self._sleeping.wait(1)
        self._sleeping.clear()
        self._wake_ups.put(None)
        gevent.sleep(0)
        gevent.sleep(0)


class Backend:
    """Remembers the renewals. `active` None: every lease is active. `is_failing`: every call raises StoreError."""

    def __init__(self) -> None:
        self.renewals: list[set[str]] = []
        self.active: set[str] | None = None
        self.is_failing = False

    def renew(self, keys: Collection[str]) -> None:
        if self.is_failing:
            raise StoreError
        self.renewals.append(set(keys))

    def find_active(self, keys: Collection[str]) -> Collection[str]:
        if self.is_failing:
            raise StoreError
        return set(keys) if self.active is None else self.active


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def keeper(clock: Clock, backend: Backend) -> LeaseKeeper[str]:
    return LeaseKeeper(
        backend.renew,
        backend.find_active,
        poll_seconds=0.5,
        renew_seconds=1.5,
        sleep=clock.sleep,
        clock=clock,
    )


def test_all_leases_are_renewed_in_one_call_when_the_renewal_is_due(
    keeper: LeaseKeeper[str], clock: Clock, backend: Backend
) -> None:
    keeper.add("a")
    keeper.add("b")
    gevent.sleep(0)
    clock.pass_poll()
    clock.pass_poll()
    assert backend.renewals == []
    clock.pass_poll()
    assert backend.renewals == [{"a", "b"}]
    for _ in range(3):
        clock.pass_poll()
    assert backend.renewals == [{"a", "b"}] * 2


def test_removed_lease_is_not_renewed(keeper: LeaseKeeper[str], clock: Clock, backend: Backend) -> None:
    keeper.add("a")
    keeper.add("b")
    keeper.remove("a")
    keeper.remove("unknown")
    gevent.sleep(0)
    for _ in range(3):
        clock.pass_poll()
    assert backend.renewals == [{"b"}]


def test_lost_lease_is_reported_once_and_then_removed(
    keeper: LeaseKeeper[str], clock: Clock, backend: Backend
) -> None:
    lost: list[str] = []
    keeper.add("a", lambda: lost.append("a"))
    keeper.add("b", lambda: lost.append("b"))
    gevent.sleep(0)
    clock.pass_poll()
    assert lost == []
    backend.active = {"b"}
    clock.pass_poll()
    clock.pass_poll()
    assert lost == ["a"]
    assert backend.renewals == [{"b"}]


def test_lease_added_while_the_database_is_asked_is_not_reported_as_lost(
    keeper: LeaseKeeper[str], clock: Clock, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[str] = []

    def add_another(keys: Collection[str]) -> Collection[str]:
        keeper.add("late", lambda: lost.append("late"))
        keeper.remove("removed")
        return {"a"}

    monkeypatch.setattr(keeper, "_find_active", add_another)
    keeper.add("a", lambda: lost.append("a"))
    keeper.add("removed", lambda: lost.append("removed"))
    gevent.sleep(0)
    clock.pass_poll()
    assert lost == []


def test_failed_renewal_is_logged_and_tried_again_at_the_next_poll(
    keeper: LeaseKeeper[str], clock: Clock, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    lost: list[str] = []
    keeper.add("a", lambda: lost.append("a"))
    gevent.sleep(0)
    backend.is_failing = True
    for _ in range(4):
        clock.pass_poll()
    assert backend.renewals == []
    assert lost == []
    assert "could not renew or check 1 lease(s)" in caplog.text
    backend.is_failing = False
    clock.pass_poll()
    assert backend.renewals == [{"a"}]


def test_timer_that_fires_early_does_not_delay_a_renewal(clock: Clock, backend: Backend) -> None:
    keeper = LeaseKeeper(
        backend.renew, poll_seconds=2.0, renew_seconds=2.0, sleep=lambda s: clock.sleep(s - 0.01), clock=clock
    )
    keeper.add("a")
    gevent.sleep(0)
    clock.pass_poll()
    assert backend.renewals == [{"a"}]


def test_greenlet_runs_only_while_there_are_leases(
    keeper: LeaseKeeper[str], clock: Clock, backend: Backend
) -> None:
    keeper.add("a")
    greenlet = keeper._greenlet
    gevent.sleep(0)
    keeper.remove("a")
    clock.pass_poll()
    assert greenlet is not None
    assert greenlet.dead
    keeper.add("b")
    gevent.sleep(0)
    for _ in range(3):
        clock.pass_poll()
    assert backend.renewals == [{"b"}]
