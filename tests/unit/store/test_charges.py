"""Charges to budgets while their counters fail: tried again, counted once, and named in the log if they are lost."""

import gevent
import pytest
from limits.errors import StorageError
from limits.storage import MemoryStorage

from gateway.store.limits import charges
from gateway.store.limits.budgets import Allowance, Budgets
from gateway.store.limits.charges import Charge, Charges
from gateway.turn import Usage


class FailingStorage(MemoryStorage):
    """Counters that fail while `fails` is set."""

    fails = False

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        if self.fails:
            raise StorageError(ConnectionError())
        return super().incr(key, expiry, amount)


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> FailingStorage:
    """Return counters that fail, for charges that are tried again after 10 ms."""
    monkeypatch.setattr(charges, "RETRY_SECONDS", 0.01)
    storage = FailingStorage()
    storage.fails = True
    return storage


def test_charges_are_counted_once_when_the_counters_work_again(storage: FailingStorage) -> None:
    pending = Charges(storage, now=lambda: 0.0)
    for amount in (1, 2):
        pending.add(Charge("key", 60.0, amount))
    gevent.sleep(0.03)
    assert (len(pending), storage.get("key")) == (2, 0)
    storage.fails = False
    pending.add(Charge("key", 60.0, 4))
    gevent.sleep(0.03)
    assert (len(pending), storage.get("key")) == (0, 7)


def test_charges_to_a_window_that_is_over_are_dropped(storage: FailingStorage) -> None:
    now = 0.0
    pending = Charges(storage, now=lambda: now)
    pending.add(Charge("key", 60.0, 1))
    now = 60.0
    gevent.sleep(0.03)
    assert len(pending) == 0


def test_lost_charges_are_named_in_the_log(storage: FailingStorage, caplog: pytest.LogCaptureFixture) -> None:
    pending = Charges(storage, now=lambda: 0.0)
    pending.add(Charge("tokens/day/me", 60.0, 30))
    pending.close()
    assert "a charge of 30 to the budget tokens/day/me was lost" in caplog.text


def test_budgets_do_not_fail_when_an_answer_is_charged(storage: FailingStorage) -> None:
    budgets = Budgets(storage)
    allowance = Allowance(tokens_per_day=100, usd_per_day=1)
    budgets.charge("me", allowance, Usage(output_tokens=30, cost_usd=0.5))
    storage.fails = False
    budgets.close()
    states = [budgets.get_state("me", name, 100) for name in ("tokens_per_day", "usd_per_day")]
    assert [state.used for state in states] == [30, 0.5]
