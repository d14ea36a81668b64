"""Tokens and dollars that clients have used, in minutes, days and months of the calendar (UTC).

What an answer costs is known when it is over: a request is let in as long as something is left, and its answer may go
past the limit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from limits.storage import Storage

from gateway.store.limits.allowance import Allowance
from gateway.turn import Usage

UNITS = {"tokens": 1, "usd": 1_000_000}  # counters are whole numbers: millionths of a dollar
BUDGET_NAMES = ("tokens_per_minute", "tokens_per_day", "tokens_per_month", "usd_per_day", "usd_per_month")


@dataclass(frozen=True, slots=True)
class BudgetState:
    """What is used of one limit; `seconds` from now its window ends, at `ends_at` (since 1970)."""

    name: str
    limit: float
    used: float
    seconds: float
    ends_at: float


class Budgets:
    """The counters. Only what has a limit is counted, from the time that it has one."""

    def __init__(self, storage: Storage, now: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._now = now

    def get_state(self, who: str, name: str, limit: float) -> BudgetState:
        """How much `who` has used of the limit called `name`."""
        now = self._now()
        unit, _, span = name.partition("_per_")
        key, ends_at = _window(who, unit, span, now)
        return BudgetState(name, limit, self._storage.get(key) / UNITS[unit], ends_at - now, ends_at)

    def find_exhausted(self, who: str, allowance: Allowance) -> BudgetState | None:
        """The limit of which nothing is left; of several the one that ends last."""
        limits = ((name, getattr(allowance, name)) for name in BUDGET_NAMES)
        found = [self.get_state(who, name, limit) for name, limit in limits if limit]
        return max(
            (spent for spent in found if spent.used >= spent.limit),
            key=lambda spent: spent.ends_at,
            default=None,
        )

    def charge(self, who: str, allowance: Allowance, usage: Usage) -> None:
        """Count an answer. All its tokens count, cached ones too: what the client is told as total_tokens."""
        now = self._now()
        amounts = {"tokens": usage.total_tokens, "usd": usage.cost_usd or 0.0}
        for name in BUDGET_NAMES:
            unit, _, span = name.partition("_per_")
            amount = math.ceil(round(amounts[unit] * UNITS[unit], 3))  # 123.00000000000001 is 123
            if amount and getattr(allowance, name):
                key, ends_at = _window(who, unit, span, now)
                self._storage.incr(key, math.ceil(ends_at - now), amount)


def _window(who: str, unit: str, span: str, now: float) -> tuple[str, float]:
    """The key of the window that `now` is in, and its end in seconds since 1970."""
    begin = datetime.fromtimestamp(now, timezone.utc).replace(second=0, microsecond=0)
    end = begin + timedelta(minutes=1)
    if span != "minute":
        begin = begin.replace(hour=0, minute=0)
        end = begin + timedelta(days=1)
    if span == "month":
        begin = begin.replace(day=1)
        end = (begin + timedelta(days=32)).replace(day=1)
    return f"{unit}/{span}/{begin:%Y-%m-%dT%H:%M}/{who}", end.timestamp()
