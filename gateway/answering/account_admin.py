"""Administration of accounts, for the API, the pages and the command line. It shows no login.

For example:

    find_account("team-a", services)["windows"]
    check_account("team-a", caller.actor, services)["logged_in"]
"""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

from gateway.accounts.states import AccountStates, AccountStatus
from gateway.answering.account_sync import AccountSync
from gateway.answering.quota import describe_account, to_moment
from gateway.answering.services import Services
from gateway.errors import AccountNotFound
from gateway.store.audit import Actor, AuditLog
from gateway.store.keys import Key
from gateway.store.usage import UsageFigures
from gateway.store.usage_series import UsageFilter

#: The times until now for which the usage of an account is summed up.
PERIODS = {"last_24_hours": timedelta(days=1), "last_30_days": timedelta(days=30)}
PROCESSES = ("running", "warm", "kept", "starting")
MARGIN = timedelta(minutes=1)  # the clocks of machines that share a database differ

Sums = dict[str | None, UsageFigures]


def list_accounts(services: Services) -> list[dict[str, Any]]:
    """Return all accounts in the form of AccountSchema. Raises StoreError."""
    services.account_sync.share()  # other workers may know more
    keys, usage = services.keys.list(), _sum_usage(services)
    processes = {one["name"]: one for one in services.claude.status()["accounts"]}
    return [
        describe_account(status, time.time())
        | _describe_login(status, services)
        | {
            "keys": [{"id": key.id, "name": key.name} for key in list_users(keys, status.name)],
            "processes": {name: processes[status.name][name] for name in PROCESSES},
            "usage": _describe_usage(usage, status.name if services.accounts.is_listed else None),
        }
        for status in services.accounts.all()
    ]


def find_account(name: str, services: Services) -> dict[str, Any]:
    """Return one account in the form of AccountSchema. Raises AccountNotFound or StoreError."""
    _check_exists(name, services.accounts)
    return next(one for one in list_accounts(services) if one["name"] == name)


def list_users(keys: Iterable[Key], account: str) -> list[Key]:
    """Return the active keys that are bound to an account."""
    return [
        key
        for key in keys
        if key.state == "active" and account in {*(key.accounts or ()), (key.fallback or {}).get("account")}
    ]


def check_account(name: str, by: Actor, services: Services) -> dict[str, Any]:
    """Learn from a new process whether an account is logged in. Return it in the form of AccountTestSchema.

    If that is news, it is in the audit log. Raises AccountNotFound, ClaudeUnavailable, ShuttingDown or StoreError.
    """
    _check_exists(name, services.accounts)
    known = services.accounts.is_logged_in(name)
    is_good = services.claude.test_login(name)
    if is_good is not None and is_good is not known:
        services.account_sync.share()
        services.audit.add(by, "account.test", name, {"logged_in": known}, {"logged_in": is_good})
    advice = services.claude.advise_login(name) if is_good is False else None
    return {"account": name, "logged_in": is_good, "advice": advice}


def resume_account(name: str, by: Actor, states: AccountStates, sync: AccountSync, audit: AuditLog) -> None:
    """End the rests of an account, so that it is asked again. Raises AccountNotFound or StoreError."""
    _check_exists(name, states)
    rests = states.rests(name)
    if rests:
        states.end_rests(name)
        sync.share()
        ended = [f"{rest.reason} until {to_moment(rest.until)} {rest.models}".rstrip() for rest in rests]
        audit.add(by, "account.resume", name, {"rests": ended}, {"rests": []})


def _check_exists(name: str, states: AccountStates) -> None:
    if name not in states.accounts:
        raise AccountNotFound(
            f"There is no account {name!r}. The accounts are: {', '.join(states.accounts)}."
        )


def _describe_login(status: AccountStatus, services: Services) -> dict[str, Any]:
    is_missing = status.state == "logged_out"
    return {
        "source": services.accounts.accounts[status.name].source,
        "is_shared": status.is_shared,
        "logged_in": status.logged_in,
        "advice": services.claude.advise_login(status.name) if is_missing else None,
    }


def _sum_usage(services: Services) -> dict[str, Sums]:
    """Return the sums by account in each of PERIODS. The account is None for answers without a list of accounts."""
    now = datetime.now(timezone.utc)
    return {
        period: {
            group.name: group.figures
            for group in services.usage_series.sum_by(UsageFilter(now - length, now + MARGIN), "account")
        }
        for period, length in PERIODS.items()
    }


def _describe_usage(usage: dict[str, Sums], account: str | None) -> dict[str, Any]:
    return {period: sums.get(account, UsageFigures()).as_json() for period, sums in usage.items()}
