"""Rate limits of a subscription, as the CLI reports them."""

from gateway.accounts.states import Window
from gateway.claude.cli.protocol import RateLimitFigures
from gateway.claude.cli.rate_limits import parse_windows


def test_rate_limit_windows_are_read_from_cli_messages() -> None:
    assert parse_windows({}) == {}
    assert parse_windows({"rateLimitType": "five_hour"}) == {"five_hour": Window(None, None)}
    assert parse_windows({"rateLimitType": "a-later-kind", "utilization": 1}) == {}
    each: dict[str, RateLimitFigures] = {
        "five_hour": {"utilization": 0.5, "resetsAt": 10},
        "seven_day": {"utilization": 0.1, "resetsAt": 20},
    }
    assert parse_windows({"unifiedWindows": each}) == {
        "five_hour": Window(0.5, 10),
        "seven_day": Window(0.1, 20),
    }


def test_window_that_limits_now_keeps_the_utilization_of_the_list() -> None:
    # As CLI 2.1.332 reports a 429 with all headers: only the list has the utilization.
    windows = parse_windows(
        {
            "status": "rejected",
            "rateLimitType": "five_hour",
            "resetsAt": 10,
            "unifiedWindows": {"five_hour": {"utilization": 1.02, "resetsAt": 10, "status": "rejected"}},
        }
    )
    assert windows == {"five_hour": Window(1.02, 10, "rejected")}
