"""How much of the subscription's limits is used, as the CLI tells in its `rate_limit_event`.

`rate_limit_info` is SDKRateLimitInfo of `sdk.d.ts`: the window that binds now, and in `unifiedWindows` (which the
public types leave out) each window. `utilization` is the fraction used; more than 1 is possible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAMES = (
    "five_hour",
    "seven_day",
    "seven_day_opus",
    "seven_day_sonnet",
    "seven_day_overage_included",
    "overage",
)


@dataclass(frozen=True, slots=True)
class RateLimitWindow:
    """One limit. `utilization` is a fraction, `resets_at` Unix time; None where the CLI did not say."""

    utilization: float | None
    resets_at: float | None


def windows(info: Mapping[str, Any]) -> dict[str, RateLimitWindow]:
    """The limits in a `rate_limit_info`, by their names in NAMES."""
    found = dict(info.get("unifiedWindows") or {})
    if info.get("rateLimitType"):
        found[info["rateLimitType"]] = info
    return {name: _window(found[name]) for name in NAMES if name in found}


def _window(raw: Mapping[str, Any]) -> RateLimitWindow:
    return RateLimitWindow(raw.get("utilization"), raw.get("resetsAt"))
