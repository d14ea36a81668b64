"""The accounts that may answer a caller."""

import pytest

from gateway.accounts.account import DEFAULT, Account, default_account
from gateway.accounts.states import AccountStates
from gateway.answering.account_access import find_accounts
from gateway.answering.caller import Caller, Identity
from gateway.errors import AccountNotAllowed

PAID = Account("paid", "api_key", is_shared=True)
LISTED = AccountStates(
    [Account("own", "login"), Account("team", "login", is_shared=True), PAID], is_listed=True
)
ONE = AccountStates([default_account({}, None)])
KEY = Identity("key_1", "alice")
BOUND = Identity("key_2", "bob", accounts=("team", "own", "gone"))


SPARING = Identity("key_3", "carol", fallback={"account": "paid", "usd_per_day": 5.0})


def caller(identity: Identity | None, account: str = "") -> Caller:
    return Caller(identity, "owner", "203.0.113.7", "curl", "req_1", account=account)


@pytest.mark.parametrize(
    ("identity", "account", "states", "allowed"),
    [
        (None, "", ONE, (DEFAULT,)),
        (KEY, "", LISTED, ("team", "paid")),
        (None, "", LISTED, ("team", "paid")),
        (BOUND, "", LISTED, ("team", "own")),
        (BOUND, "own", LISTED, ("own",)),
        (SPARING, "", LISTED, ("team",)),
    ],
)
def test_key_and_header_decide(
    identity: Identity | None, account: str, states: AccountStates, allowed: tuple[str, ...]
) -> None:
    assert find_accounts(caller(identity, account), states) == allowed


@pytest.mark.parametrize(
    ("identity", "account", "states"),
    [
        (KEY, "own", LISTED),
        (BOUND, "gone", LISTED),
        (BOUND, "", ONE),
        (None, "team", ONE),
        (SPARING, "paid", LISTED),
    ],
)
def test_other_accounts_are_refused(identity: Identity | None, account: str, states: AccountStates) -> None:
    with pytest.raises(AccountNotAllowed):
        find_accounts(caller(identity, account), states)
