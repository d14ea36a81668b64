"""The headers about the windows of a subscription, as Anthropic's API has them."""

from gateway.accounts.states import Window
from gateway.dialects.messages.limit_headers import NAMES, make_limit_headers

NOW = 1_000.0


def test_headers_name_each_window_and_the_fullest_of_all_models() -> None:
    windows = {
        "five_hour": Window(0.25, 2000.0, "allowed"),
        "seven_day": Window(0.8, 3000.0, "allowed_warning"),
        "seven_day_opus": Window(1.0, 3000.0, "rejected"),
        "overage": Window(None, None, "rejected"),
    }
    headers = make_limit_headers(windows, NOW)
    assert headers.keys() <= set(NAMES)
    assert {name.removeprefix("anthropic-ratelimit-unified-"): value for name, value in headers.items()} == {
        "status": "allowed_warning",
        "representative-claim": "seven_day",
        "reset": "3000",
        "5h-utilization": "0.25",
        "5h-reset": "2000",
        "5h-status": "allowed",
        "7d-utilization": "0.8",
        "7d-reset": "3000",
        "7d-status": "allowed_warning",
        "7d_opus-utilization": "1",
        "7d_opus-reset": "3000",
        "7d_opus-status": "rejected",
        "overage-status": "rejected",
    }


def test_windows_that_were_reset_since_have_no_headers() -> None:
    assert make_limit_headers({"five_hour": Window(1.0, 999.0, "rejected")}, NOW) == {}
    assert make_limit_headers({}, NOW) == {}
