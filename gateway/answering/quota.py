"""The quota of a caller: its limits, the rest of its budgets, and the windows of the accounts that it uses.

For example, `describe_quota(caller, services)["accounts"][0]["windows"][0]["utilization"]` is 0.42 if 42 % of the first
window of the first account are used.
"""

import time
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from gateway.accounts.states import AccountStatus, Window
from gateway.answering.account_access import list_allowed
from gateway.answering.caller import Caller
from gateway.answering.fallbacks import describe_fallback
from gateway.answering.services import Services


def describe_quota(caller: Caller, services: Services) -> dict[str, Any]:
    """Return the quota in the form of QuotaSchema. Raises what the counters raise."""
    client, identity = services.limits.find_client(caller), caller.identity
    key = None
    if identity is not None:
        key = {"id": identity.id, "name": identity.name, "team_id": identity.team_id}
    return {
        "key": key,
        "limits": asdict(client.allowance),
        "budgets": services.limits.describe_caller(caller),
        "accounts": [describe_account(account, time.time()) for account in list_accounts(caller, services)],
        "fallback": describe_fallback(identity, services.limits),
    }


def list_accounts(caller: Caller, services: Services) -> list[AccountStatus]:
    """Return the accounts that the caller may see: all for an admin, otherwise those that its requests may use."""
    found = services.accounts.all()
    allowed = list_allowed(caller, services.accounts)
    return found if caller.sees_everything else [account for account in found if account.name in allowed]


def describe_account(account: AccountStatus, now: float) -> dict[str, Any]:
    """Return an account in the form of AccountQuotaSchema."""
    return {
        "name": account.name,
        "kind": account.kind,
        "state": account.state,
        "resting_until": to_moment(account.resting_until),
        "rests": [rest._asdict() | {"until": to_moment(rest.until)} for rest in account.rests],
        "windows": [_describe_window(name, window, now) for name, window in account.windows.items()],
    }


def _describe_window(name: str, window: Window, now: float) -> dict[str, Any]:
    is_known = window.utilization is not None
    return {
        "name": name,
        "utilization": window.used(now) if is_known else None,
        "status": window.status,
        "resets_at": to_moment(window.resets_at),
        "heard_at": to_moment(window.heard_at),
    }


def to_moment(seconds: float | None) -> datetime | None:
    """Return Unix time as a time in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)
