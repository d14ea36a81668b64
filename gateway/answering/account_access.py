"""The accounts that may answer a request."""

from gateway.accounts.states import AccountStates
from gateway.answering.caller import Caller
from gateway.errors import AccountNotAllowed


def find_accounts(caller: Caller, states: AccountStates) -> tuple[str, ...]:
    """Return the accounts that may answer the caller's request, in the order of its key or of the list.

    The header `x-account` reduces them to one. Raises AccountNotAllowed.
    """
    allowed = list_allowed(caller, states)
    if caller.account:
        if caller.account not in allowed:
            raise AccountNotAllowed(
                f"The header x-account names {caller.account!r}. Your requests may use: {', '.join(allowed) or 'none'}."
            )
        return (caller.account,)
    if not allowed:
        raise AccountNotAllowed(
            "Your requests may use no account of this gateway. The operator can share an account, or allow it for your "
            "key."
        )
    return allowed


def list_allowed(caller: Caller, states: AccountStates) -> tuple[str, ...]:
    """Return the names of the accounts that the caller may use, without its fallback. They may be none."""
    identity = caller.identity
    if identity is not None and identity.accounts is not None:
        return tuple(name for name in identity.accounts if name in states.accounts)
    fallback = identity.fallback.get("account") if identity is not None and identity.fallback else None
    return tuple(one.name for one in states.accounts.values() if one.is_shared and one.name != fallback)
