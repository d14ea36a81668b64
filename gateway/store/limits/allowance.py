"""The limits of one client: the gateway's settings, which a key's own limits override."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Allowance:
    """Limits of one key, or of one address if keys are not required. 0 means no limit.

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

    def with_overrides(self, own: Mapping[str, Any]) -> Allowance:
        """Return these limits, replaced by the limits in `own`. Names that a later version wrote are ignored."""
        return replace(self, **{name: own[name] for name in LIMIT_NAMES if name in own}) if own else self


LIMIT_NAMES = tuple(field.name for field in fields(Allowance))
