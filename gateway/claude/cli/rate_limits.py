"""Parse the rate-limit windows of the account from the CLI's `rate_limit_event`.

`rate_limit_info` (SDKRateLimitInfo in `sdk.d.ts`) has the window that limits the account now. Its `unifiedWindows`,
which the public types leave out, has all windows. `utilization` is the fraction that is used and can be more than 1.

>>> parse_windows({"rateLimitType": "five_hour", "utilization": 0.25, "resetsAt": 1900000000})
{'five_hour': RateLimitWindow(utilization=0.25, resets_at=1900000000)}
"""

from typing import NamedTuple

from gateway.claude.cli.protocol import RateLimitFigures, RateLimitInfo

NAMES = (
    "five_hour",
    "seven_day",
    "seven_day_opus",
    "seven_day_sonnet",
    "seven_day_overage_included",
    "overage",
)


class RateLimitWindow(NamedTuple):
    """One rate-limit window.

    `utilization` is a fraction and `resets_at` Unix time in seconds. Either is None if the CLI did not report it.
    """

    utilization: float | None
    resets_at: float | None


def parse_windows(info: RateLimitInfo) -> dict[str, RateLimitWindow]:
    """Return the windows in a `rate_limit_info` by name. Names that are not in NAMES are left out."""
    found = dict(info.get("unifiedWindows") or {})
    if info.get("rateLimitType"):
        found[info["rateLimitType"]] = info
    return {name: _parse_window(found[name]) for name in NAMES if name in found}


def _parse_window(figures: RateLimitFigures) -> RateLimitWindow:
    return RateLimitWindow(figures.get("utilization"), figures.get("resetsAt"))
