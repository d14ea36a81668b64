"""The fallback of a key: what answers when all of its accounts are out of quota, within a budget of its own.

For example, the field `fallback` of a key:

    {"model": "haiku", "account": "metered", "usd_per_day": 5.0}
"""

from functools import partial
from typing import Any

from gateway.answering.caller import Caller, Identity
from gateway.answering.estimates import estimate_usage
from gateway.answering.limits import (
    FALLBACK,
    SLOT_SECONDS,
    Admission,
    BudgetOwner,
    RequestLimits,
    format_budget,
)
from gateway.claude.turn_accounts import Fallback
from gateway.errors import NoAccountLeft
from gateway.store.limits.budgets import Allowance, BudgetState
from gateway.turn import Turn


def make_fallback(caller: Caller, admission: Admission | None) -> Fallback | None:
    """Return the fallback of the caller's key; None without one.

    A request that names an account gets no other one, and a batch waits until the quota is renewed.
    """
    identity = caller.identity
    if identity is None or not identity.fallback or admission is None or caller.account or caller.is_batch:
        return None
    reserve = partial(_reserve, admission, find_owner(identity))
    return Fallback(identity.fallback.get("model"), identity.fallback.get("account"), reserve)


def find_owner(identity: Identity) -> BudgetOwner:
    """Return the owner of the budgets of a key's fallback."""
    return BudgetOwner(f"{FALLBACK}{identity.id}", Allowance().with_overrides(identity.fallback or {}))


def describe_fallback(identity: Identity | None, limits: RequestLimits) -> dict[str, Any] | None:
    """Return the fallback of a key with the state of its budgets, in the form of FallbackStateSchema."""
    if identity is None or not identity.fallback:
        return None
    names = {name: identity.fallback.get(name) for name in ("model", "account")}
    return {**names, "budgets": limits.list_owner_budgets(find_owner(identity))}


def _reserve(admission: Admission, owner: BudgetOwner, turn: Turn, error: NoAccountLeft) -> None:
    """Reserve a part of the fallback's budget for a turn. Raises NoAccountLeft if nothing is left of it."""
    if admission.reserve_fallback(owner, estimate_usage(turn)):
        return
    exhausted = admission.limits.find_exhausted(owner)
    if exhausted is not None:
        raise _explain(error, exhausted)
    raise NoAccountLeft(
        f"{error.message} The rest of the budget of your key's fallback is reserved for answers that are running. Try "
        "again when one of them is complete.",
        retry_after=SLOT_SECONDS,
    )


def _explain(error: NoAccountLeft, exhausted: BudgetState) -> NoAccountLeft:
    """Return the error with a sentence about the budget. It is renewed earlier or later than the accounts."""
    seconds = min(error.retry_after or exhausted.seconds, exhausted.seconds)
    message = (
        f"{error.message} The fallback of your key cannot answer either: {format_budget(exhausted, 'Its')}"
    )
    return NoAccountLeft(message, retry_after=seconds, should_retry=error.should_retry)
