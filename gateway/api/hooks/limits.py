"""Limits of each client: requests and tokens a minute, answers at once, and budgets for a day and a month.

What counts as a request is every POST to a blueprint that app.py lists as answering; answers, and what they cost, are
of POSTs to its own URL only: nobody is kept from cancelling one. A client is a key, or an address where no key
is asked for. Without its counters the gateway answers 503: they guard money, and those in the database fail only when
the keys cannot be read either.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property, lru_cache
from ipaddress import ip_address, ip_network
from typing import cast

from flask import Blueprint, Flask, Response, g, request
from flask_limiter import Limiter
from limits import RateLimitItemPerMinute
from limits.errors import StorageError

from gateway.api.hooks import auth, errors
from gateway.errors import LimitReached, QuotaExceeded, StoreError
from gateway.record import Record
from gateway.settings import Settings
from gateway.store.limits import sliding_window
from gateway.store.limits.allowance import LIMIT_NAMES, Allowance
from gateway.store.limits.budgets import BUDGET_NAMES, Budgets, BudgetState
from gateway.store.limits.leases import HeldLeases
from gateway.store.limits.sliding_window import RateLimitWindow, WindowStorage

log = logging.getLogger(__name__)

SCOPE = "answers"
SLOT_SECONDS = 1.0  # nobody knows when an answer ends: look again soon


@dataclass(slots=True)
class ClientLimits:
    """Whose request this is to the limits, and what they may use. `window` is how their requests stood when this one
    was `counted_at` (monotonic seconds)."""

    who: str
    allowance: Allowance
    window: RateLimitWindow | None = None
    counted_at: float = 0.0


def init_app(app: Flask, settings: Settings, answering: Iterable[Blueprint], public: Collection[str]) -> None:
    """Apply the limits to POSTs of `answering`, and tell of them everywhere but in the blueprints named `public`."""
    limiter: Limiter = app.extensions["limits"]
    # Without hooks of its own: they take 0.1 ms of each request to see that no view is marked.
    app.extensions["limiter"] = {limiter}
    limiter.init_app(app)
    guard = Guard(settings, limiter, HeldLeases(app.extensions["leases"]), answering, public)
    app.before_request(guard.admit)
    app.after_request(guard.finish)
    app.teardown_request(_free_slot)
    app.register_error_handler(StorageError, lambda _: errors.respond(StoreError(retry_after=1)))


class Guard:
    """What is done before and after each request."""

    def __init__(
        self,
        settings: Settings,
        limiter: Limiter,
        held: HeldLeases,
        answering: Iterable[Blueprint],
        public: Collection[str],
    ) -> None:
        self._default = Allowance(**{name: getattr(settings, f"rate_limit_{name}") for name in LIMIT_NAMES})
        self._burst = settings.rate_limit_burst
        self._limiter = limiter
        self._held = held
        self._answering = {blueprint.name: blueprint.url_prefix for blueprint in answering}
        self._public = public

    @cached_property
    def _storage(self) -> WindowStorage:
        return cast(WindowStorage, self._limiter.storage)

    @cached_property
    def budgets(self) -> Budgets:
        """Counted where the limiter counts, which has a storage once it is bound to the app."""
        return Budgets(self._limiter.storage)

    def admit(self) -> None:
        """Open the client's account, and charge the request to it. Raises LimitReached or QuotaExceeded."""
        if request.endpoint is None or request.method == "OPTIONS" or request.blueprint in self._public:
            return
        account = g.account = self._account()
        if request.method != "POST" or request.blueprint not in self._answering:
            return
        is_for_answer = request.path == self._answering[request.blueprint]
        if is_for_answer:
            self._check_spending(account)
        self._count_request(account)
        if is_for_answer:
            self._take_slot(account)

    def _check_spending(self, account: ClientLimits) -> None:
        if not any(getattr(account.allowance, name) for name in BUDGET_NAMES):
            return
        exhausted = self.budgets.find_exhausted(account.who, account.allowance)
        if exhausted:
            raise _refusal(exhausted)

        def charge(record: Record) -> None:
            self.budgets.charge(account.who, account.allowance, record.usage)

        g.on_record = [charge]

    def _count_request(self, account: ClientLimits) -> None:
        most = account.allowance.requests_per_minute
        if not most:
            return
        passed, account.window = sliding_window.count_request(
            self._storage, _per_minute(most + self._burst), account.who, SCOPE
        )
        account.counted_at = time.monotonic()
        if not passed:
            wait = account.window.wait
            raise LimitReached(
                f"Rate limit reached: {most} requests a minute (in a burst {self._burst} more). "
                f"Try again in {duration(wait)}.",
                retry_after=max(1.0, wait),
            )

    def _take_slot(self, account: ClientLimits) -> None:
        most = account.allowance.answers_at_once
        if not most:
            return
        free = self._held.acquire(account.who, most)
        if free is None:
            raise LimitReached(
                f"Rate limit reached: {most} answers at once. Try again when one is complete.",
                retry_after=SLOT_SECONDS,
            )
        g.free_slot = free
        g.on_record = [*g.get("on_record", ()), lambda _: free()]

    def finish(self, response: Response) -> Response:
        """Tell what is left."""
        account: ClientLimits | None = g.get("account")
        if account is not None:
            try:
                response.headers.update(self._headers(account))
            except (StoreError, StorageError):
                log.warning("an answer has no x-ratelimit headers: the counters cannot be read")
        return response

    def _headers(self, account: ClientLimits) -> dict[str, str]:
        headers: dict[str, str] = {}
        requests = account.allowance.requests_per_minute
        if requests:
            window, reset = self._window(account, requests + self._burst)
            # Whoever goes by the headers never gets as far as the burst.
            headers |= _told("requests", requests, window.remaining - self._burst, reset)
        tokens = account.allowance.tokens_per_minute
        if tokens:
            spent = self.budgets.get_state(account.who, "tokens_per_minute", tokens)
            headers |= _told("tokens", tokens, tokens - spent.used, spent.seconds if spent.used else 0)
        return headers

    def _account(self) -> ClientLimits:
        who = auth.identity()
        if who is None:
            return ClientLimits(f"address:{network(request.remote_addr or '')}", self._default)
        return ClientLimits(who.id, self._default.with_overrides(who.limits))

    def _window(self, account: ClientLimits, most: int) -> tuple[RateLimitWindow, float]:
        """Of a request that was counted as it stood then; and in how many seconds from now nothing counts any more."""
        window = account.window
        if window is None:
            window = sliding_window.read_window(self._storage, _per_minute(most), account.who, SCOPE)
            return window, window.reset
        return window, max(0.0, window.reset - (time.monotonic() - account.counted_at))


@lru_cache(maxsize=1024)
def network(address: str) -> str:
    """What counts as one client: an IPv4 address, or an IPv6 network of the size that one subscriber has."""
    try:
        parsed = ip_address(address)
    except ValueError:  # a Unix socket has none
        return address or "unknown"
    return str(parsed if parsed.version == 4 else ip_network((parsed, 64), strict=False))


def duration(seconds: float) -> str:
    """As OpenAI writes it: 850ms, 12s, 6m0s, 3h0m0s."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms" if seconds > 0 else "0s"
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"


_per_minute = lru_cache(maxsize=64)(RateLimitItemPerMinute)


def _free_slot(_: BaseException | None) -> None:
    """Where there is an answer, its end frees the slot: that of one in the background comes after its response."""
    free = g.pop("free_slot", None)
    if free and "record" not in g:
        free()


def _told(unit: str, limit: float, remaining: float, reset: float) -> dict[str, str]:
    values = {"limit": f"{limit:.0f}", "remaining": f"{max(0, remaining):.0f}", "reset": duration(reset)}
    return {f"x-ratelimit-{what}-{unit}": value for what, value in values.items()}


def _refusal(spent: BudgetState) -> LimitReached | QuotaExceeded:
    unit, _, span = spent.name.partition("_per_")
    if span == "minute":
        return LimitReached(
            f"Rate limit reached: {spent.limit} tokens a minute, {spent.used:.0f} are used. "
            f"Try again in {duration(spent.seconds)}.",
            retry_after=spent.seconds,
        )
    limit, used = (f"${x:.2f}" if unit == "usd" else f"{x:.0f} tokens" for x in (spent.limit, spent.used))
    ends_at = datetime.fromtimestamp(spent.ends_at, timezone.utc)
    return QuotaExceeded(
        f"Your budget of {limit} a {span} is used up ({used}). It begins anew at {ends_at:%Y-%m-%d %H:%M} UTC.",
        retry_after=spent.seconds,
        should_retry=False,
    )
