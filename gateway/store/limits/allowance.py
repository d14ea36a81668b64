"""How much one client may use: the gateway's own figures, which a key's `limits` override."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Allowance:
    """Limits of one key, or of one address where no key is asked for. 0 is no limit.

    Days and months are the calendar's, in UTC.
    """

    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    answers_at_once: int = 0
    tokens_per_day: int = 0
    tokens_per_month: int = 0
    usd_per_day: float = 0.0
    usd_per_month: float = 0.0

    def with_overrides(self, own: Mapping[str, Any]) -> Allowance:
        """These limits with those that a key has of its own."""
        return replace(self, **{name: own[name] for name in LIMIT_NAMES if name in own}) if own else self


LIMIT_NAMES = tuple(field.name for field in fields(Allowance))
