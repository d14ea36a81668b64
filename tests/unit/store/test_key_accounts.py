"""The accounts of keys: one that is not shared serves one active key only."""

from datetime import timedelta

import pytest

from gateway.accounts.account import Account
from gateway.errors import AccountTaken, InvalidRequest
from gateway.store.database import Store, utc_now
from gateway.store.keys import Keys

ACCOUNTS = (Account("own", "login"), Account("team", "login", is_shared=True))


@pytest.fixture
def bound(store: Store) -> Keys:
    return Keys(store, ACCOUNTS)


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
    with pytest.raises(InvalidRequest, match=r"no account 'x'\. The accounts are: own, team"):
        bound.create("alice", accounts=["x"])


def test_account_that_is_no_longer_shared_is_found(store: Store, bound: Keys) -> None:
    for name in ("alice", "bob"):
        bound.create(name, accounts=["team"])
    bound.check_accounts()
    with pytest.raises(AccountTaken):
        Keys(store, [Account("team", "login")]).check_accounts()
