"""The limits of each client: requests and tokens per minute, answers at once, and budgets per day and month.

A client is a key, or an address if the gateway asks for no keys. The keys of a team also share its budgets. If the
counters fail, requests are answered with 503: the limits guard money, and counters in the database fail only when the
keys cannot be read either.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache, partial
from typing import Any, NoReturn, cast

from limits import RateLimitItemPerMinute
from limits.storage import Storage

from gateway.addresses import client_network
from gateway.answering.caller import Caller, Identity
from gateway.answering.key_shares import KeyShares
from gateway.answering.limit_headers import format_duration, format_limit
from gateway.errors import LimitReached, QuotaExceeded
from gateway.settings import Settings
from gateway.store.limits import sliding_window
from gateway.store.limits.budgets import (
    LIMIT_NAMES,
    LONG_BUDGET_NAMES,
    Allowance,
    Budgets,
    BudgetState,
    count_amounts,
)
from gateway.store.limits.leases import HeldSlots
from gateway.store.limits.reservations import HeldReservations
from gateway.store.limits.sliding_window import RateLimitWindow, WindowStorage
from gateway.turn import Usage

SCOPE = "answers"
# The ids of teams and of the fallbacks of keys begin with these, among the ids of clients.
TEAM, FALLBACK = "team:", "fallback:"
NO_USAGE = Usage()
SLOT_SECONDS = 1.0  # the end of a running answer cannot be predicted, so clients look again soon


@dataclass(slots=True)
class BudgetOwner:
    """A client or a team, whose id begins with TEAM, and the limits that apply to it."""

    client_id: str
    allowance: Allowance


@dataclass(slots=True)
class ClientLimits(BudgetOwner):
    """A client and its limits. `reserve` is the number of requests per minute that it must leave.

    `window` is the state of the rate limit at the moment when this request was counted: `counted_at`, in monotonic
    seconds. It is None for requests that do not count. `has_share` is False for a key with its own limit of answers at
    once, even if that is 0. `team` is the team whose budgets the client shares.
    """

    window: RateLimitWindow | None = None
    counted_at: float = 0.0
    reserve: int = 0
    has_share: bool = True
    team: BudgetOwner | None = None

    @property
    def budget_owners(self) -> list[BudgetOwner]:
        """Return the client and its team, as far as they have budgets."""
        return [one for one in (self, self.team) if one is not None and one.allowance.has_budgets]


@dataclass(slots=True)
class Admission:
    """The permission to answer one request. Settle it after the answer, or release it if there was no answer.

    `free_slot` frees the slot of the answer, if it has one, and `end_reservation` its parts of the budgets. `fallback`
    is the owner of the fallback's budgets, if the fallback was asked.
    """

    client: ClientLimits
    limits: "RequestLimits"
    free_slot: Callable[[], None] = lambda: None
    end_reservation: Callable[[], None] = lambda: None
    fallback: BudgetOwner | None = None

    @property
    def has_budgets(self) -> bool:
        """True if the client or its team has budgets, so that answers need reservations."""
        return bool(self.client.budget_owners)

    def reserve(self, estimate: Usage) -> None:
        """Reserve a part of the budgets for an answer that may use as much as `estimate`.

        Raises LimitReached or QuotaExceeded if nothing is left beside the reservations of other answers.
        """
        self.end_reservation = self.limits.reserve(self.client, estimate)

    def reserve_fallback(self, owner: BudgetOwner, estimate: Usage) -> bool:
        """Reserve a part of the budgets of the key's fallback. Return False if nothing is left of them."""
        end, end_earlier = self.limits.try_reserve([owner], estimate), self.end_reservation
        if end is None:
            return False
        self.fallback, self.end_reservation = owner, partial(_call_all, (end_earlier, end))
        return True

    def check_again(self) -> None:
        """Look again at the budgets, because the request may have waited. Raises LimitReached or QuotaExceeded."""
        self.limits.check_admitted(self.client)

    def settle(self, usage: Usage, fallback_usage: Usage = NO_USAGE) -> None:
        """Charge an answer that is over to the budgets, and release its slot and its reservations.

        `fallback_usage` is the part of `usage` that the fallback has used.
        """
        try:
            self.limits.charge(self.client, usage)
            if self.fallback is not None:
                self.limits.charge_owner(self.fallback, fallback_usage)
        finally:
            self.release()

    def release(self) -> None:
        """Free the slot and end the reservation. Releasing again has no effect."""
        self.end_reservation()
        self.free_slot()


class RequestLimits:
    """The limits of all clients.

    `storage` has the counters, `slots` the slots of answers at once, and `reservations` the parts of budgets that
    running answers may need. `on_use` is called when a client or team with budgets has used something, or finds
    nothing left.
    """

    def __init__(
        self, settings: Settings, storage: Storage, slots: HeldSlots, reservations: HeldReservations
    ) -> None:
        self.storage = storage
        self._windows = cast(WindowStorage, storage)
        self._budgets = Budgets(storage)
        self._slots = slots
        self._shares = KeyShares(settings.max_turns_per_key)
        self.apply(settings)
        self._reservations = reservations
        self.on_use: Callable[[BudgetOwner], None] = lambda owner: None

    def apply(self, settings: Settings) -> None:
        """Take over changed settings. They apply from the next request on."""
        self.default = Allowance(**{name: getattr(settings, f"rate_limit_{name}") for name in LIMIT_NAMES})
        self._burst = settings.rate_limit_burst
        self._shares.most = settings.max_turns_per_key

    def find_client(self, caller: Caller) -> ClientLimits:
        """Return the client whose limits apply to the caller. Batches share the counters, and leave a part of each."""
        identity = caller.identity
        client_id = identity.id if identity else f"address:{client_network(caller.address)}"
        allowance = self.default.with_overrides(identity.limits) if identity else self.default
        team = find_team(identity) if identity else None
        if not caller.is_batch:
            has_own = identity is not None and "answers_at_once" in identity.limits
            return ClientLimits(client_id, allowance, has_share=not has_own, team=team)
        share = allowance.for_batches()
        reserve = allowance.requests_per_minute + self._burst - share.requests_per_minute
        return ClientLimits(client_id, share, reserve=reserve, team=team)

    def list_budgets(self, identity: Identity) -> list[dict[str, Any]]:
        """Return the state of each budget of a key and of its team, in the form of BudgetSchema."""
        allowance = self.default.with_overrides(identity.limits)
        own = self.list_owner_budgets(BudgetOwner(identity.id, allowance))
        team = find_team(identity)
        return own + self.list_team_budgets(identity.team_id or "", identity.team_limits) if team else own

    def list_team_budgets(self, team_id: str, limits: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the state of each budget of a team, in the form of BudgetSchema."""
        owner = BudgetOwner(f"{TEAM}{team_id}", Allowance().with_overrides(limits))
        return self.list_owner_budgets(owner, team_id)

    def list_owner_budgets(self, owner: BudgetOwner, team_id: str | None = None) -> list[dict[str, Any]]:
        """Return the state of each budget of a client, a team or a fallback, in the form of BudgetSchema."""
        states = self._budgets.list_states(owner.client_id, owner.allowance)
        return [_describe(state, team_id) for state in states]

    def describe_caller(self, caller: Caller) -> list[dict[str, Any]]:
        """Return the caller's requests per minute and its budgets, with their rests, in the form of BudgetSchema."""
        client, identity = self.find_client(caller), caller.identity
        budgets = self.list_budgets(identity) if identity else self.list_owner_budgets(client)
        limit = client.allowance.requests_per_minute
        if not limit:
            return budgets
        window, reset = self._window(client, limit + self._burst)
        used = max(0, limit - max(0, window.remaining - self._burst))
        now = time.time()
        return [_describe(BudgetState("requests_per_minute", limit, used, reset, now + reset)), *budgets]

    def close(self) -> None:
        """Charge the answers that could not be charged before, if possible."""
        self._budgets.close()

    def check_budgets(self, client: ClientLimits) -> None:
        """Raise LimitReached or QuotaExceeded if a budget of the client or its team is used up."""
        for owner in client.budget_owners:
            exhausted = self.find_exhausted(owner)
            if exhausted:
                raise _budget_error(exhausted, is_team=owner is client.team)

    def find_exhausted(self, owner: BudgetOwner) -> BudgetState | None:
        """Return the budget that is used up; if there are several, the last one to reset."""
        exhausted = self._budgets.find_exhausted(owner.client_id, owner.allowance)
        if exhausted:
            self.on_use(owner)
        return exhausted

    def count_request(self, client: ClientLimits) -> None:
        """Count a request, and remember the window in `client`. Raises LimitReached if there is no room."""
        limit = client.allowance.requests_per_minute
        if not limit:
            return
        extra = client.reserve or self._burst
        has_room, client.window = sliding_window.count_request(
            self._windows, _per_minute(limit + extra), client.client_id, SCOPE, client.reserve
        )
        client.counted_at = time.monotonic()
        if not has_room:
            wait = client.window.wait
            burst = f" (plus a burst of {self._burst})" if self._burst and not client.reserve else ""
            raise LimitReached(
                f"Rate limit reached: {limit} requests per minute{burst}. Try again in {format_duration(wait)}.",
                retry_after=max(1.0, wait),
            )

    def admit_answer(self, client: ClientLimits) -> Admission:
        """Take one of the client's slots for an answer, and count the request.

        The slot comes first, because a request that is refused must not count. Raises LimitReached.
        """
        admission = self._take_slot(client)
        try:
            self.count_request(client)
        except BaseException:
            admission.release()
            raise
        return admission

    def _take_slot(self, client: ClientLimits) -> Admission:
        limit = client.allowance.answers_at_once
        if not limit and not client.has_share:
            return Admission(client, self)
        taken = self._slots.acquire(client.client_id, limit) if limit else self._shares.take(client.client_id)
        if taken is None:
            raise LimitReached(
                f"Rate limit reached: {limit or self._shares.most} answers at once. "
                "Try again when one of them is complete.",
                retry_after=SLOT_SECONDS,
            )
        return Admission(client, self, taken)

    def reserve(self, client: ClientLimits, estimate: Usage) -> Callable[[], None]:
        """Reserve a part of the budgets of a client and its team. Return the function that ends the reservations.

        Raises LimitReached or QuotaExceeded.
        """
        return self.try_reserve(client.budget_owners, estimate) or self._refuse_reservation(client)

    def try_reserve(self, owners: Iterable[BudgetOwner], estimate: Usage) -> Callable[[], None] | None:
        """Reserve a part of the budgets of all owners. Return the function that ends this; None if nothing is left.

        If several workers ask at once, one gets the rest of a budget.
        """
        amounts, ends = count_amounts(estimate), list[Callable[[], None]]()
        try:
            for owner in owners:
                caps = self._budgets.list_caps(owner.client_id, owner.allowance)
                end = self._reservations.reserve(owner.client_id, amounts, caps)
                if end is None:
                    _call_all(ends)
                    return None
                ends.append(end)
        except BaseException:
            _call_all(ends)
            raise
        return partial(_call_all, ends)

    def _refuse_reservation(self, client: ClientLimits) -> NoReturn:
        self.check_admitted(client)
        self._take_back(client)
        answers = "answers" if client.team else "your answers"
        raise LimitReached(
            f"The rest of your budget is reserved for {answers} that are running. "
            "Try again when one of them is complete.",
            retry_after=SLOT_SECONDS,
        )

    def check_admitted(self, client: ClientLimits) -> None:
        """Check the budgets of a request that was counted: if it is refused, it does not count after all."""
        try:
            self.check_budgets(client)
        except (LimitReached, QuotaExceeded):
            self._take_back(client)
            raise

    def charge(self, client: ClientLimits, usage: Usage) -> None:
        """Charge an answer to the budgets of the client and its team. Raises what the counters raise."""
        for owner in client.budget_owners:
            self.charge_owner(owner, usage)

    def charge_owner(self, owner: BudgetOwner, usage: Usage) -> None:
        """Charge an answer to the budgets of a client, a team or a fallback. Raises what the counters raise."""
        self._budgets.charge(owner.client_id, owner.allowance, usage)
        self.on_use(owner)

    def budget_states(self, owner: BudgetOwner) -> list[BudgetState]:
        """Return the budgets per day and month as they are now. Raises what the counters raise."""
        limits = ((name, getattr(owner.allowance, name)) for name in LONG_BUDGET_NAMES)
        return [self._budgets.get_state(owner.client_id, name, limit) for name, limit in limits if limit]

    def _take_back(self, client: ClientLimits) -> None:
        """Undo `count_request`."""
        if client.window is not None:
            item = _per_minute(client.window.limit + client.reserve)
            sliding_window.take_back_request(self._windows, item, client.client_id, SCOPE)
            client.window = None

    def make_headers(self, client: ClientLimits) -> dict[str, str]:
        """Return the `x-ratelimit-*` headers: what the client has left. Raises what the counters raise."""
        headers: dict[str, str] = {}
        requests = client.allowance.requests_per_minute
        if requests:
            window, reset = self._window(client, requests + self._burst)
            # The burst is not advertised, so that clients that pace themselves by the headers never need it.
            headers |= format_limit("requests", requests, window.remaining - self._burst, reset)
        tokens = client.allowance.tokens_per_minute
        if tokens:
            state = self._budgets.get_state(client.client_id, "tokens_per_minute", tokens)
            reset = state.seconds if state.used else 0
            headers |= format_limit("tokens", tokens, tokens - state.used, reset)
        return headers

    def _window(self, client: ClientLimits, limit: int) -> tuple[RateLimitWindow, float]:
        """Return the window as of the moment the request was counted, and the seconds until it is empty."""
        window = client.window
        if window is None:
            window = sliding_window.read_window(self._windows, _per_minute(limit), client.client_id, SCOPE)
            return window, window.reset
        return window, max(0.0, window.reset - (time.monotonic() - client.counted_at))


def find_team(identity: Identity) -> BudgetOwner | None:
    """Return the team whose budgets a key shares; None if it has no team, or the team has no budgets."""
    if not identity.team_limits:
        return None
    return BudgetOwner(f"{TEAM}{identity.team_id}", Allowance().with_overrides(identity.team_limits))


_per_minute: Any = lru_cache(maxsize=64)(RateLimitItemPerMinute)


def _describe(state: BudgetState, team_id: str | None = None) -> dict[str, Any]:
    ends_at = datetime.fromtimestamp(state.ends_at, timezone.utc)
    return {
        "name": state.name,
        "team_id": team_id,
        "limit": state.limit,
        "used": state.used,
        "remaining": max(0.0, state.limit - state.used),
        "resets_at": ends_at,
    }


def _budget_error(state: BudgetState, *, is_team: bool) -> LimitReached | QuotaExceeded:
    if state.name == "tokens_per_minute":
        return LimitReached(
            f"Rate limit reached: {state.limit} tokens per minute, {state.used:.0f} are used. "
            f"Try again in {format_duration(state.seconds)}.",
            retry_after=state.seconds,
        )
    message = format_budget(state, "Your team's" if is_team else "Your")
    return QuotaExceeded(message, retry_after=state.seconds, should_retry=False)


def format_budget(state: BudgetState, owner: str) -> str:
    """Return the sentences about a budget per day or month that is used up. They begin with `owner`."""
    unit, _, span = state.name.partition("_per_")
    limit, used = (f"${x:.2f}" if unit == "usd" else f"{x:.0f} tokens" for x in (state.limit, state.used))
    ends_at = datetime.fromtimestamp(state.ends_at, timezone.utc)
    return f"{owner} budget of {limit} per {span} is used up ({used}). It is renewed at {ends_at:%Y-%m-%d %H:%M} UTC."


def _call_all(functions: Iterable[Callable[[], None]]) -> None:
    for function in functions:
        function()
