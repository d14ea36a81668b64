"""The accounts of keys: one that is not shared serves one active key only."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.accounts.account import Account
from gateway.accounts.states import AccountStates
from gateway.errors import AccountTaken, InvalidRequest
from gateway.store.database import Store, utc_now
from gateway.store.keys import Keys

ACCOUNTS = (
    Account("own", "login"),
    Account("team", "login", is_shared=True),
    Account("paid", "api_key", is_shared=True),
)
BUDGET = {"usd_per_day": 5.0}


@pytest.fixture
def bound(store: Store) -> Keys:
    return Keys(store, AccountStates(ACCOUNTS, is_listed=True))


def test_account_that_is_not_shared_serves_one_active_key(bound: Keys) -> None:
    alice, _ = bound.create("alice", accounts=["own", "team"])
    with pytest.raises(AccountTaken, match=rf"'own' is not shared, and the key {alice.id} \(alice\) uses it"):
        bound.create("bob", accounts=["own"])
    assert [key.name for key in bound.list()] == ["alice"]
    bob, _ = bound.create("bob", accounts=["team"])
    with pytest.raises(AccountTaken):
        bound.change(bob.id, {"accounts": ["own"]})
    assert bound.get(bob.id).accounts == ("team",)
    bound.revoke(alice.id)
    assert bound.change(bob.id, {"accounts": ["own"]}).accounts == ("own",)


def test_expired_key_cannot_come_back_to_an_account_that_is_taken(bound: Keys) -> None:
    alice, _ = bound.create("alice", accounts=["own"], expires_at=utc_now() - timedelta(days=1))
    bound.create("bob", accounts=["own"])
    with pytest.raises(AccountTaken):
        bound.change(alice.id, {"expires_at": None})
    assert bound.get(alice.id).state == "expired"


def test_unknown_account_is_named(bound: Keys) -> None:
    with pytest.raises(InvalidRequest, match=r"no account 'x'\. The accounts are: own, team, paid"):
        bound.create("alice", accounts=["x"])


def test_account_that_is_no_longer_shared_is_found(store: Store, bound: Keys) -> None:
    for name in ("alice", "bob"):
        bound.create(name, accounts=["team"])
    bound.check_accounts()
    with pytest.raises(AccountTaken):
        Keys(store, AccountStates([Account("team", "login")], is_listed=True)).check_accounts()


def test_fallback_is_stored_without_the_parts_that_were_left_out(bound: Keys) -> None:
    alice, _ = bound.create("alice", fallback={"model": None, "account": "paid", **BUDGET})
    assert alice.fallback == {"account": "paid", "usd_per_day": 5.0}
    assert bound.change(alice.id, {"notes": "x"}).fallback == alice.fallback
    assert bound.change(alice.id, {"fallback": None}).fallback is None


@pytest.mark.parametrize(
    ("fallback", "words"),
    [
        (BUDGET, "needs a model, an account or both"),
        ({"account": "paid"}, "needs a budget"),
        ({"model": "haiku", "usd_per_day": 0}, "needs a budget"),
        ({"account": "gone", **BUDGET}, "There is no account 'gone'"),
        ({"account": "team", **BUDGET}, "uses it anyway"),
    ],
)
def test_fallback_that_could_not_answer_or_would_have_no_limit_is_refused(
    bound: Keys, fallback: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        bound.create("alice", accounts=["team"], fallback=fallback)
    assert bound.list() == []


def test_key_cannot_be_bound_to_the_account_of_its_fallback(bound: Keys) -> None:
    alice, _ = bound.create("alice", fallback={"account": "paid", **BUDGET})
    with pytest.raises(InvalidRequest, match="uses it anyway"):
        bound.change(alice.id, {"accounts": ["paid"]})


def test_fallback_needs_a_list_of_accounts(store: Store) -> None:
    keys = Keys(store, AccountStates([Account("default", "login", is_shared=True)]))
    with pytest.raises(InvalidRequest, match="needs a list of accounts"):
        keys.create("alice", fallback={"model": "haiku", **BUDGET})


def test_account_that_is_not_shared_is_the_fallback_of_one_key(bound: Keys) -> None:
    bound.create("alice", fallback={"account": "own", **BUDGET})
    with pytest.raises(AccountTaken):
        bound.create("bob", accounts=["own"])
