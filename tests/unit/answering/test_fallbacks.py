"""The budget of a key's fallback, and the requests that it is for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from gateway.answering.fallbacks import describe_fallback, make_fallback
from gateway.answering.limits import Admission, RequestLimits
from gateway.claude.turn_accounts import Fallback
from gateway.errors import NoAccountLeft
from gateway.store.database import Store
from gateway.turn import Message, Model, Turn, Usage
from tests.unit.answering.fakes import caller
from tests.unit.answering.test_limits import make_limits

FALLBACK = {"model": "haiku", "account": "paid", "usd_per_day": 0.02}
#: A turn whose answer is estimated to cost a cent.
TURN = Turn(
    (Message("user", ({"type": "text", "text": "hi"},)),), model=Model("m", "", "", None, None, 0.0, 0.0025)
)
NONE_LEFT = NoAccountLeft("All accounts are used up.", retry_after=7200.0, should_retry=False)
KEY = caller("key_1", fallback=FALLBACK)


@pytest.fixture
def limits(store: Store) -> RequestLimits:
    return make_limits(store)


def admit(limits: RequestLimits, by: Any = KEY) -> tuple[Admission, Fallback]:
    """Return the admission of a request, and its fallback."""
    admission = limits.admit_answer(limits.find_client(by))
    fallback = make_fallback(by, admission)
    assert fallback is not None
    return admission, fallback


@contextmanager
def refused(words: str) -> Iterator[None]:
    with pytest.raises(NoAccountLeft, match=rf"^All accounts are used up\. .*{words}"):
        yield


def test_answers_at_once_share_the_rest_of_the_budget(limits: RequestLimits) -> None:
    """Of 60 answers that fall back at once, only as many are asked as the budget has room for."""
    admitted = [admit(limits) for _ in range(60)]

    for _, fallback in admitted[:2]:
        fallback.reserve(TURN, NONE_LEFT)
    for _, fallback in admitted[2:]:
        with pytest.raises(NoAccountLeft, match="is reserved for answers that are running") as raised:
            fallback.reserve(TURN, NONE_LEFT)
        assert (raised.value.retry_after, raised.value.should_retry) == (1.0, None)
    for admission, _ in admitted:
        admission.settle(Usage(cost_usd=0.02), Usage(cost_usd=0.004) if admission.fallback else Usage())
    assert used(limits) == pytest.approx(0.008)


def used(limits: RequestLimits) -> float:
    state = describe_fallback(KEY.identity, limits)
    assert state is not None
    return float(state["budgets"][0]["used"])


def test_error_says_that_the_budget_is_used_up(limits: RequestLimits) -> None:
    admission, fallback = admit(limits)
    fallback.reserve(TURN, NONE_LEFT)
    admission.settle(Usage(cost_usd=0.05), Usage(cost_usd=0.03))
    assert used(limits) == 0.03
    with refused(r"The fallback of your key .* budget of \$0\.02 per day is used up \(\$0\.03\)"):
        admit(limits)[1].reserve(TURN, NONE_LEFT)


def test_answer_that_fails_costs_nothing(limits: RequestLimits) -> None:
    for _ in range(5):
        admission, fallback = admit(limits)
        fallback.reserve(TURN, NONE_LEFT)
        fallback.reserve(TURN, NONE_LEFT)  # two choices of one request
        with refused("is reserved"):
            fallback.reserve(TURN, NONE_LEFT)
        admission.settle(Usage())
    assert used(limits) == 0.0


@pytest.mark.parametrize(
    "by",
    [
        caller("key_1"),
        replace(KEY, account="team"),
        replace(KEY, is_batch=True),
        replace(KEY, identity=None),
    ],
)
def test_fallback_is_for_requests_of_its_key_that_name_no_account(limits: RequestLimits, by: Any) -> None:
    admission = limits.admit_answer(limits.find_client(KEY))
    assert make_fallback(by, admission) is None
    assert make_fallback(KEY, None) is None
