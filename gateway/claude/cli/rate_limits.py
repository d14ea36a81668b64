"""Parse the rate-limit windows of the account from the CLI's `rate_limit_event`.

`rate_limit_info` (SDKRateLimitInfo in `sdk.d.ts`) has the window that limits the account now. Its `unifiedWindows`,
which the public types leave out, has all windows. `utilization` is the fraction that is used and can be more than 1.

>>> parse_windows({"rateLimitType": "five_hour", "utilization": 0.25, "resetsAt": 1900000000})
{'five_hour': Window(utilization=0.25, resets_at=1900000000, status=None, heard_at=0.0)}
"""

from typing import cast

from gateway.accounts.states import Window
from gateway.claude.cli.protocol import RateLimitFigures, RateLimitInfo

NAMES = (
    "five_hour",
    "seven_day",
    "seven_day_opus",
    "seven_day_sonnet",
    "seven_day_overage_included",
    "overage",
)


def parse_windows(info: RateLimitInfo) -> dict[str, Window]:
    """Return the windows in a `rate_limit_info` by name. Names that are not in NAMES are left out."""
    found: dict[str, RateLimitFigures] = dict(info.get("unifiedWindows") or {})
    if info.get("rateLimitType"):
        name = info["rateLimitType"]
        found[name] = cast(RateLimitFigures, {**found.get(name, {}), **info})  # either has the utilization
    return {name: _parse_window(found[name]) for name in NAMES if name in found}


def _parse_window(figures: RateLimitFigures) -> Window:
    return Window(figures.get("utilization"), figures.get("resetsAt"), figures.get("status"))
