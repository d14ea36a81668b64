"""The limits of one client, and its budgets: the tokens and dollars used in a calendar minute, day or month (UTC).

The cost of an answer is known when it is over. A request is admitted while something is left that no running answer has
reserved, so its answer may exceed the limit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from limits.storage import Storage

from gateway.store.limits.charges import Charge, Charges
from gateway.store.limits.reservations import Amounts, Cap, Unit
from gateway.turn import Usage

# Counters are integers, so dollars are counted in millionths.
UNITS: dict[Unit, int] = {"tokens": 1, "usd": 1_000_000}
BUDGET_NAMES = ("tokens_per_minute", "tokens_per_day", "tokens_per_month", "usd_per_day", "usd_per_month")
LONG_BUDGET_NAMES = BUDGET_NAMES[1:]


@dataclass(frozen=True, slots=True)
class Allowance:
    """Limits of one key, or of one address if keys are not required: the settings, which a key's limits override.

    0 means no limit.

    Days and months are calendar days and months in UTC.

    >>> Allowance(requests_per_minute=100).with_overrides({"requests_per_minute": 5}).requests_per_minute
    5
    """

    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    answers_at_once: int = 0
    tokens_per_day: int = 0
    tokens_per_month: int = 0
    usd_per_day: float = 0.0
    usd_per_month: float = 0.0

    @property
    def has_budgets(self) -> bool:
        """True if tokens or dollars are limited."""
        has_tokens = self.tokens_per_minute or self.tokens_per_day or self.tokens_per_month
        return bool(has_tokens or self.usd_per_day or self.usd_per_month)

    def with_overrides(self, own: Mapping[str, Any]) -> Allowance:
        """Return these limits, replaced by the limits in `own`. Names that a later version wrote are ignored."""
        return replace(self, **{name: own[name] for name in LIMIT_NAMES if name in own}) if own else self

    def for_batches(self) -> Allowance:
        """Return the part of the limits per minute and at once that batches may use, so that other requests go on.

        >>> Allowance(requests_per_minute=100, answers_at_once=5).for_batches().answers_at_once
        4
        """
        return replace(
            self,
            requests_per_minute=-(-self.requests_per_minute // 2),
            tokens_per_minute=-(-self.tokens_per_minute // 2),
            answers_at_once=max(min(self.answers_at_once, 1), self.answers_at_once - 1),
        )


LIMIT_NAMES = tuple(field.name for field in fields(Allowance))


@dataclass(frozen=True, slots=True)
class BudgetState:
    """The used part of one limit. Its window ends in `seconds`, at `ends_at` (seconds since 1970)."""

    name: str
    limit: float
    used: float
    seconds: float
    ends_at: float


class Budgets:
    """The counters of all budgets. A client without a limit is not counted.

    For example:

        budgets.charge("key_1", Allowance(tokens_per_day=1000), Usage(output_tokens=1200))
        budgets.find_exhausted("key_1", Allowance(tokens_per_day=1000)).used  # 1200.0
    """

    def __init__(self, storage: Storage, now: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._now = now
        self._charges = Charges(storage, now)

    def get_state(self, client: str, name: str, limit: float) -> BudgetState:
        """Return how much the client has used of the limit called `name`."""
        now = self._now()
        unit, span = _split(name)
        key, ends_at = _window(client, unit, span, now)
        return BudgetState(name, limit, self._storage.get(key) / UNITS[unit], ends_at - now, ends_at)

    def list_states(self, client: str, allowance: Allowance) -> list[BudgetState]:
        """Return how much the client has used of each of its budgets."""
        limits = ((name, getattr(allowance, name)) for name in BUDGET_NAMES)
        return [self.get_state(client, name, limit) for name, limit in limits if limit]

    def find_exhausted(self, client: str, allowance: Allowance) -> BudgetState | None:
        """Return the exhausted limit. If several are exhausted, return the last to reset."""
        exhausted = (state for state in self.list_states(client, allowance) if state.used >= state.limit)
        return max(exhausted, key=lambda state: state.ends_at, default=None)

    def list_caps(self, client: str, allowance: Allowance) -> list[Cap]:
        """Return the budgets of a client as they are now."""
        now, caps = self._now(), []
        for name in BUDGET_NAMES:
            unit, span = _split(name)
            limit = math.ceil(getattr(allowance, name) * UNITS[unit])
            if limit:
                caps.append(Cap(_window(client, unit, span, now)[0], unit, limit))
        return caps

    def charge(self, client: str, allowance: Allowance, usage: Usage) -> None:
        """Count an answer. All of its tokens count, cached ones too: the total that the client sees.

        If the counters fail, the answer is counted as soon as they work again.
        """
        now = self._now()
        amounts = count_amounts(usage)
        for name in BUDGET_NAMES:
            unit, span = _split(name)
            amount = getattr(amounts, unit)
            if amount and getattr(allowance, name):
                self._charges.add(Charge(*_window(client, unit, span, now), amount))

    def close(self) -> None:
        """Count what could not be counted before, if possible."""
        self._charges.close()


def count_amounts(usage: Usage) -> Amounts:
    """Return what an answer adds to the counters."""
    usd = (usage.cost_usd or 0.0) * UNITS["usd"]
    return Amounts(usage.total_tokens, math.ceil(round(usd, 3)))  # 123.00000000000001 is 123


def _split(name: str) -> tuple[Unit, str]:
    """Return the unit and the span of a budget's name."""
    unit, _, span = name.partition("_per_")
    return ("usd" if unit == "usd" else "tokens"), span


def _window(client: str, unit: str, span: str, now: float) -> tuple[str, float]:
    """Return the key of the window that contains `now`, and its end in seconds since 1970."""
    begin = datetime.fromtimestamp(now, timezone.utc).replace(second=0, microsecond=0)
    end = begin + timedelta(minutes=1)
    if span != "minute":
        begin = begin.replace(hour=0, minute=0)
        end = begin + timedelta(days=1)
    if span == "month":
        begin = begin.replace(day=1)
        end = (begin + timedelta(days=32)).replace(day=1)
    return f"{unit}/{span}/{begin:%Y-%m-%dT%H:%M}/{client}", end.timestamp()
