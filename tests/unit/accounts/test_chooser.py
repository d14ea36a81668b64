"""The choice of an account, and the rests after failures."""

import pytest

from gateway.accounts.account import DEFAULT, Account, default_account
from gateway.accounts.chooser import AccountChooser
from gateway.accounts.states import AccountStates, Rest, Window
from gateway.errors import (
    AccountLimitReached,
    BillingProblem,
    ClaudeUnavailable,
    GatewayError,
    InvalidRequest,
    NoAccountLeft,
    NotLoggedIn,
    Overloaded,
)

NOW = 1000.0
ALL = ("a", "b", "c")
MODEL = "claude-opus-5-5"


def make(strategy: str = "first") -> tuple[AccountStates, AccountChooser]:
    states = AccountStates([Account(name, "login") for name in ALL], lambda: NOW, is_listed=True)
    return states, AccountChooser(states, strategy, lambda: NOW)


def test_strategies_order_the_accounts() -> None:
    states, chooser = make("headroom")
    states.record_windows("a", {"five_hour": Window(0.9, 2000.0)})
    states.record_windows("b", {"five_hour": Window(0.1, 2000.0), "seven_day": Window(0.5, 2000.0)})
    assert chooser.order(ALL, MODEL) == ["c", "b", "a"]
    assert make("first")[1].order(ALL, MODEL) == ["a", "b", "c"]
    in_turn = make("round_robin")[1]
    assert [in_turn.order(ALL, MODEL)[0] for _ in range(4)] == ["a", "b", "c", "a"]


def test_conversation_stays_with_its_account_while_that_does_not_rest() -> None:
    states, chooser = make()
    chooser.note(b"second state", "b")
    assert chooser.order(ALL, MODEL, [b"first state", b"second state"]) == ["b", "a", "c"]
    assert chooser.order(["a", "c"], MODEL, [b"second state"]) == ["a", "c"]  # the key may no longer use it
    states.record_rest("b", Rest("overloaded", NOW + 5))
    assert chooser.order(ALL, MODEL, [b"second state"]) == ["a", "c", "b"]


@pytest.mark.parametrize(
    ("error", "reason", "seconds"),
    [
        (BillingProblem(), "billing", 600),
        (NotLoggedIn(), "login", 60),
        (Overloaded(retry_after=5), "overloaded", 5),
        (ClaudeUnavailable(), "start", 30),
        (AccountLimitReached(retry_after=7), "overloaded", 7),
    ],
)
def test_account_that_fails_is_asked_last(error: GatewayError, reason: str, seconds: float) -> None:
    states, chooser = make()
    assert chooser.record_failure("a", MODEL, error) is error
    (rest,) = states.rests("a")
    assert (rest.reason, rest.until) == (reason, NOW + seconds)
    assert chooser.order(ALL, MODEL) == ["b", "c", "a"]
    chooser.record_success("a", MODEL)
    assert chooser.order(ALL, MODEL) == ["a", "b", "c"]


def test_used_up_quota_keeps_an_account_out_until_its_reset() -> None:
    states, chooser = make()
    for name, resets_at in (("a", 9000.0), ("b", 5000.0)):
        states.record_windows(name, {"seven_day_opus": Window(1.0, resets_at, "rejected")})
        chooser.record_failure(name, MODEL, AccountLimitReached(retry_after=1))
    explained = chooser.record_failure("a", MODEL, AccountLimitReached(retry_after=1), ("a", "b"))
    assert isinstance(explained, NoAccountLeft)
    assert (explained.retry_after, explained.should_retry) == (4000.0, False)
    assert chooser.order(ALL, MODEL) == ["c"]
    assert chooser.order(ALL, "claude-haiku-4-5") == ["a", "b", "c"]
    with pytest.raises(NoAccountLeft) as raised:
        chooser.order(["a", "b"], MODEL)
    assert raised.value.retry_after == 4000.0


def test_accounts_are_used_up_only_if_all_of_them_are() -> None:
    states, chooser = make()
    states.record_windows("a", {"five_hour": Window(1.0, 9000.0, "rejected")})
    states.record_rest("b", Rest("overloaded", NOW + 5))
    error = AccountLimitReached(retry_after=1)
    assert chooser.record_failure("a", MODEL, error, ("a", "b")) is error
    none_left = NoAccountLeft("with a word about the fallback")
    assert chooser.record_failure("a", MODEL, none_left, ("a", "b")) is none_left


def test_request_of_a_client_that_is_wrong_lets_no_account_rest() -> None:
    states, chooser = make()
    error = InvalidRequest("no")
    assert chooser.record_failure("a", MODEL, error) is error
    assert states.rests("a") == ()


def test_only_login_never_rests() -> None:
    states = AccountStates([default_account({}, None)], lambda: NOW)
    chooser = AccountChooser(states, "headroom", lambda: NOW)
    states.record_windows(DEFAULT, {"five_hour": Window(1.0, 9000.0, "rejected")})
    error = AccountLimitReached(retry_after=1)
    assert chooser.record_failure(DEFAULT, MODEL, error) is error
    assert chooser.order((DEFAULT,), MODEL) == [DEFAULT]
