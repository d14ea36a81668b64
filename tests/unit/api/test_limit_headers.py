"""The words and headers in which rate limits are reported to clients."""

import time

import pytest
from flask import Response

from gateway.addresses import client_network
from gateway.answering.limit_headers import format_duration
from gateway.answering.limits import ClientLimits
from gateway.api.http.context import get_state
from gateway.store.limits.budgets import Allowance
from gateway.store.limits.sliding_window import RateLimitWindow
from tests.support.apps import close_app, open_app


def test_headers_report_the_time_left_when_a_long_answer_ends(database_url: str) -> None:
    app = open_app(database_url=database_url)
    with app.test_request_context("/v1/models"):
        app.preprocess_request()
        window = RateLimitWindow(13, 60, 0, 1, 30)
        get_state().client_limits = ClientLimits(
            "me", Allowance(requests_per_minute=3), window, time.monotonic() - 19.5
        )
        headers = app.process_response(Response()).headers
    reported = {name: value for name, value in headers.items() if name.startswith("x-ratelimit")}
    assert list(reported.values()) == ["3", "2", "1m11s"]
    close_app(app)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (0.0002, "1ms"),
        (0.85, "850ms"),
        (1, "1s"),
        (11.2, "12s"),
        (360, "6m0s"),
        (10_801, "3h0m1s"),
    ],
)
def test_durations_are_written_as_openai_writes_them(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", "unknown"),
        ("x", "x"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
    ],
)
def test_addresses_of_one_ipv6_subscriber_are_one_client(address: str, network: str) -> None:
    assert client_network(address) == network
