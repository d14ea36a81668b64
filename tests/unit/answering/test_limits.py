"""The limits of a client, on counters in a real database."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.answering.limits import ClientLimits, RequestLimits
from gateway.errors import LimitReached, QuotaExceeded, StoreError
from gateway.settings import Settings
from gateway.store.database import Store
from gateway.store.limits.counters import DatabaseCounters
from gateway.store.limits.leases import DatabaseLeases, HeldSlots
from gateway.store.limits.reservations import DatabaseReservations, HeldReservations
from gateway.turn import Usage
from tests.unit.answering.fakes import caller

NOW = timedelta(days=20_000, seconds=10).total_seconds()  # 10 s after a minute began


def make_limits(store: Store, **settings: Any) -> RequestLimits:
    values: dict[str, Any] = {f"rate_limit_{name}": value for name, value in settings.items()}
    storage = DatabaseCounters(store=store, now=lambda: NOW)
    reservations = HeldReservations(DatabaseReservations(store, lambda: NOW))
    return RequestLimits(
        replace(Settings(), **values), storage, HeldSlots(DatabaseLeases(store)), reservations
    )


def find_client(limits: RequestLimits) -> ClientLimits:
    return limits.find_client(caller("key_1", limits={}))


def test_a_client_is_its_key_or_its_address(store: Store) -> None:
    limits = make_limits(store)
    assert find_client(limits).client_id == "key_1"
    assert limits.find_client(caller(address="2001:db8::1")).client_id == "address:2001:db8::/64"


def test_a_keys_own_limits_override_the_settings(store: Store) -> None:
    limits = make_limits(store, requests_per_minute=5, answers_at_once=2)
    allowance = limits.find_client(caller("key_1", limits={"requests_per_minute": 7})).allowance
    assert (allowance.requests_per_minute, allowance.answers_at_once) == (7, 2)


@pytest.mark.parametrize(
    ("burst", "words"), [(1, "2 requests per minute (plus a burst of 1)."), (0, "2 requests per minute.")]
)
def test_requests_beyond_the_burst_are_refused(store: Store, burst: int, words: str) -> None:
    limits = make_limits(store, requests_per_minute=2, burst=burst)
    for _ in range(2 + burst):
        limits.count_request(find_client(limits))
    client = find_client(limits)
    with pytest.raises(LimitReached) as error:
        limits.count_request(client)
    assert words in error.value.message
    assert (error.value.retry_after or 0) >= 1
    assert limits.make_headers(client)["x-ratelimit-remaining-requests"] == "0"


def test_the_headers_do_not_advertise_the_burst(store: Store) -> None:
    limits = make_limits(store, requests_per_minute=2, burst=3)
    client = find_client(limits)
    limits.count_request(client)
    headers = limits.make_headers(client)
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("2", "1")


def test_a_slot_is_free_again_when_its_answer_is_settled(store: Store) -> None:
    limits = make_limits(store, answers_at_once=1)
    admission = limits.admit_answer(find_client(limits))
    with pytest.raises(LimitReached, match="1 answers at once"):
        limits.admit_answer(find_client(limits))
    admission.settle(Usage())
    limits.admit_answer(find_client(limits)).release()


def test_request_that_finds_no_free_slot_is_not_counted(store: Store) -> None:
    """A client that heeds `Retry-After: 1` must not lock itself out."""
    limits = make_limits(store, answers_at_once=1, requests_per_minute=3, burst=0)
    admission = limits.admit_answer(find_client(limits))
    for _ in range(5):
        with pytest.raises(LimitReached, match="answers at once"):
            limits.admit_answer(find_client(limits))
    admission.release()
    limits.admit_answer(find_client(limits)).release()
    limits.admit_answer(find_client(limits)).release()
    with pytest.raises(LimitReached, match="requests per minute"):
        limits.admit_answer(find_client(limits))


def test_request_that_is_not_counted_keeps_no_slot(store: Store) -> None:
    limits = make_limits(store, answers_at_once=1, requests_per_minute=1, burst=0)
    limits.admit_answer(find_client(limits)).release()
    for _ in range(2):
        with pytest.raises(LimitReached, match="requests per minute"):
            limits.admit_answer(find_client(limits))


def test_an_answer_is_charged_to_the_budgets_when_it_is_settled(store: Store) -> None:
    limits = make_limits(store, tokens_per_day=100, usd_per_month=0.5)
    client = find_client(limits)
    limits.check_budgets(client)
    limits.admit_answer(client).settle(Usage(input_tokens=60, output_tokens=40))
    with pytest.raises(QuotaExceeded, match="Your budget of 100 tokens per day is used up") as error:
        limits.check_budgets(client)
    assert error.value.should_retry is False


def test_a_slot_is_released_even_if_the_cost_cannot_be_charged(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise StoreError

    limits = make_limits(store, answers_at_once=1, tokens_per_day=100)
    admission = limits.admit_answer(find_client(limits))
    monkeypatch.setattr(DatabaseCounters, "incr", fail)
    admission.settle(Usage(output_tokens=1))
    limits.admit_answer(find_client(limits)).release()
    assert "could not be charged" in caplog.text


def test_answers_at_once_share_the_rest_of_a_budget(store: Store) -> None:
    """With one cent left, 8 of 60 answers at once were admitted, and 9 cents were spent."""
    limits = make_limits(store, usd_per_day=0.02, requests_per_minute=100)
    limits.charge(find_client(limits), Usage(cost_usd=0.01))
    clients = [find_client(limits) for _ in range(60)]
    admitted = [limits.admit_answer(client) for client in clients]
    admitted[0].reserve(Usage(cost_usd=0.01))
    for admission in admitted[1:]:
        with pytest.raises(LimitReached, match="is reserved for your answers that are running") as error:
            admission.reserve(Usage(cost_usd=0.01))
        assert error.value.retry_after == 1
    assert limits.make_headers(find_client(limits))["x-ratelimit-remaining-requests"] == "99"
    admitted[0].settle(Usage(cost_usd=0.004))  # it was cheaper than its estimate
    admitted[1].reserve(Usage(cost_usd=0.01))
    admitted[1].release()  # it failed before it began, and cost nothing
    admitted[2].reserve(Usage(cost_usd=0.01))
    admitted[2].settle(Usage(cost_usd=0.01))
    with pytest.raises(QuotaExceeded):
        admitted[3].reserve(Usage(cost_usd=0.01))


def test_budget_that_was_used_up_in_the_meantime_refuses_a_request_that_has_waited(store: Store) -> None:
    limits = make_limits(store, tokens_per_day=100, requests_per_minute=5, burst=0)
    client = find_client(limits)
    waiting = limits.admit_answer(client)
    waiting.reserve(Usage(input_tokens=1))
    waiting.check_again()
    limits.charge(client, Usage(input_tokens=100))
    with pytest.raises(QuotaExceeded):
        waiting.check_again()
    assert limits.make_headers(find_client(limits))["x-ratelimit-remaining-requests"] == "5"
