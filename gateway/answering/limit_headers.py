"""The headers that tell a client its limits, as OpenAI's API has them.

>>> format_limit("requests", 100, 99, 0.85)["x-ratelimit-reset-requests"]
'850ms'
"""

import math
from functools import lru_cache


@lru_cache(maxsize=1024)
def format_duration(seconds: float) -> str:
    """Format a duration as OpenAI's headers do: 850ms, 12s, 6m0s, 3h0m0s."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms" if seconds > 0 else "0s"
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"


def format_limit(unit: str, limit: float, remaining: float, reset: float) -> dict[str, str]:
    """Return the headers of one limit: `unit` is "requests" or "tokens", and `reset` the seconds until it is empty."""
    return {
        f"x-ratelimit-limit-{unit}": f"{limit:.0f}",
        f"x-ratelimit-remaining-{unit}": f"{max(0, remaining):.0f}",
        f"x-ratelimit-reset-{unit}": format_duration(reset),
    }
