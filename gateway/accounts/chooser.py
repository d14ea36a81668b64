"""Choose the account of a request, and let an account rest after a failure.

For example, with an account `a` whose quota is used up:

    chooser.order(["a", "b", "c"], "claude-opus-5-0")    # ["b", "c"], the one with the most headroom first

A quota that is used up keeps an account out until its reset. After other failures it is only asked last for a while.
A conversation stays with its account while that does not rest, because the prompt is cached there.
"""

import itertools
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone

from gateway.accounts.states import AccountStates, Rest, RestReason
from gateway.errors import (
    AccountLimitReached,
    BillingProblem,
    ClaudeUnavailable,
    GatewayError,
    NoAccountLeft,
    NotLoggedIn,
    Overloaded,
)

REMEMBERED_CONVERSATIONS = 10_000
LONG_WAIT_SECONDS = 60.0  # SDKs are told not to wait for longer
#: The failures after which another account may answer, with the reason and the seconds for which an account rests.
RESTS: dict[type[GatewayError], tuple[RestReason, float]] = {
    BillingProblem: ("billing", 600.0),
    NotLoggedIn: ("login", 60.0),
    Overloaded: ("overloaded", 15.0),
    ClaudeUnavailable: ("start", 30.0),
    AccountLimitReached: (
        "overloaded",
        60.0,
    ),  # without a window that is used up, e.g. an API key's limit per minute
}
FAILURES = tuple(RESTS)
#: The windows that concern some models only, with a word in the ids of these models.
_MODELS = {"seven_day_opus": "opus", "seven_day_sonnet": "sonnet"}


class AccountChooser:
    """Orders accounts by a strategy: "first", "headroom" or "round_robin". `now` is the clock, in Unix time."""

    def __init__(
        self, states: AccountStates, strategy: str = "first", now: Callable[[], float] = time.time
    ) -> None:
        self._states = states
        self._strategy = strategy
        self._now = now
        self._numbers = itertools.count()
        self._homes: OrderedDict[bytes, str] = OrderedDict()

    def order(
        self,
        accounts: Sequence[str],
        model_id: str,
        conversation: Sequence[bytes] = (),
        *,
        takes_quota: bool = True,
    ) -> list[str]:
        """Return the accounts that can be asked, the best one first.

        `conversation` are the digests of its earlier states, as `note` got them. Raises NoAccountLeft. A request that
        takes no quota is answered by every account; accounts that rest come last.
        """
        if not self._states.is_listed:
            return list(accounts)
        ordered = self._sort(accounts)
        home = next((self._homes[one] for one in reversed(conversation) if one in self._homes), None)
        rests = {name: self._states.find_rest(name, model_id) for name in ordered}
        usable = [name for name in ordered if not (takes_quota and _is_hard(rests[name]))]
        if not usable:
            raise self._no_account_left(rest for rest in rests.values() if rest is not None)  # all are hard
        return sorted(usable, key=lambda name: (rests[name] is not None, name != home))

    def note(self, conversation: bytes, account: str) -> None:
        """Note the account of a conversation in the state `conversation`."""
        if self._states.is_listed:
            self._homes[conversation] = account
            if len(self._homes) > REMEMBERED_CONVERSATIONS:
                self._homes.popitem(last=False)

    def record_failure(
        self, account: str, model_id: str, error: GatewayError, allowed: Sequence[str] = ()
    ) -> GatewayError:
        """Let the account rest if the failure is its own. Return the error for a client that may use `allowed`."""
        found = next((RESTS[kind] for kind in RESTS if isinstance(error, kind)), None)
        if found is None or isinstance(error, NoAccountLeft) or not self._states.is_listed:
            return error
        reason, seconds = found
        rest = Rest(reason, self._now() + (error.retry_after or seconds))
        if isinstance(error, AccountLimitReached):
            rest = self._find_quota(account, model_id) or rest
        self._states.record_rest(account, rest)
        if not rest.is_hard:
            return error
        rests = [self._states.find_rest(name, model_id) for name in {account, *allowed}]
        hard = [one for one in rests if one is not None and one.is_hard]
        return self._no_account_left(hard) if len(hard) == len(rests) else error

    def record_success(self, account: str, model_id: str) -> None:
        """End the account's rest."""
        if self._states.is_listed:
            self._states.end_rests(account, model_id)

    def _sort(self, accounts: Sequence[str]) -> list[str]:
        if self._strategy == "headroom":
            return sorted(accounts, key=self._states.headroom, reverse=True)
        shift = next(self._numbers) % len(accounts) if self._strategy == "round_robin" else 0
        return [*accounts[shift:], *accounts[:shift]]

    def _find_quota(self, account: str, model_id: str) -> Rest | None:
        """Return the rest until the reset of the window that rejects the model; None if no window does."""
        now = self._now()
        rests = [
            Rest("quota", window.resets_at, _MODELS.get(name, ""))
            for name, window in self._states.windows(account).items()
            if window.status == "rejected" and window.resets_at is not None and window.resets_at > now
        ]
        return max(
            (rest for rest in rests if rest.concerns(model_id)), key=lambda rest: rest.until, default=None
        )

    def _no_account_left(self, rests: Iterable[Rest]) -> NoAccountLeft:
        until = min(rest.until for rest in rests)
        seconds = max(1.0, until - self._now())
        return NoAccountLeft(
            "Every account that this request may use has reached its limit at Anthropic. The first one resets at "
            f"{datetime.fromtimestamp(until, timezone.utc):%Y-%m-%d %H:%M} UTC. This is no limit of the API key: the "
            "operator can add an account.",
            retry_after=seconds,
            should_retry=False if seconds > LONG_WAIT_SECONDS else None,
        )


def _is_hard(rest: Rest | None) -> bool:
    return rest is not None and rest.is_hard
