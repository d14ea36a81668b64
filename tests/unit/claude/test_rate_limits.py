"""Rate limits of a subscription, as the CLI reports them."""

from gateway.claude.cli.protocol import RateLimitFigures
from gateway.claude.cli.rate_limits import RateLimitWindow, parse_windows


def test_rate_limit_windows_are_read_from_cli_messages() -> None:
    assert parse_windows({}) == {}
    assert parse_windows({"rateLimitType": "five_hour"}) == {"five_hour": RateLimitWindow(None, None)}
    assert parse_windows({"rateLimitType": "a-later-kind", "utilization": 1}) == {}
    each: dict[str, RateLimitFigures] = {
        "five_hour": {"utilization": 0.5, "resetsAt": 10},
        "seven_day": {"utilization": 0.1, "resetsAt": 20},
    }
    assert parse_windows({"unifiedWindows": each}) == {
        "five_hour": RateLimitWindow(0.5, 10),
        "seven_day": RateLimitWindow(0.1, 20),
    }
