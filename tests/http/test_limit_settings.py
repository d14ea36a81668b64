"""Limits in the settings, on the command line, and in words."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Response, g

from gateway.api.hooks.limits import ClientLimits, duration, network
from gateway.app import create_app
from gateway.commands import main
from gateway.settings import Settings, SettingsError, load
from gateway.store.database import Store
from gateway.store.keys import Keys
from gateway.store.limits.allowance import Allowance
from gateway.store.limits.sliding_window import Sliding


def test_bad_settings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", "/nonexistent")
    bad = {
        "RATE_LIMIT_REQUESTS_PER_MINUTE": "-1",
        "RATE_LIMIT_USD_PER_DAY": "-0.5",
        "RATE_LIMIT_STORAGE_URL": "memory://",
        "TRUSTED_PROXIES": "x",
    }
    for name, value in bad.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load()
    assert all(name in str(error.value) for name in bad)
    for name in bad:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RATE_LIMIT_STORAGE_URL", "rediss://host:6379/0")
    assert load().rate_limit_storage_url == "rediss://host:6379/0"


def test_limits_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/gateway.db"
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", "/nonexistent")
    monkeypatch.setenv("DATABASE_URL", url)

    def run(*arguments: str) -> str:
        return CliRunner().invoke(main, ["keys", *arguments]).output

    run("create", "alice", "--usd-per-month", "2.5", "--requests-per-minute", "7")
    store = Store(url)
    (alice,) = Keys(store).list()
    assert alice.limits == {"usd_per_month": 2.5, "requests_per_minute": 7}
    changed = run("limit", alice.id, "--tokens-per-day", "0", "--usd-per-month", "default")
    assert changed == f"{alice.id} (alice): requests_per_minute=7, tokens_per_day=0\n"
    assert "requests_per_minute=7, tokens_per_day=0" in run("show", alice.id)
    for value in ("-1", "1.5", "nan", "many"):
        assert "is neither a number from 0 nor 'default'" in run("limit", alice.id, "--tokens-per-day", value)
    assert "There is no key key_unknown" in run("limit", "key_unknown", "--tokens-per-day", "1")
    assert json.dumps(Keys(store).show(alice.id).limits) == '{"requests_per_minute": 7, "tokens_per_day": 0}'
    store.close()


def test_a_long_answer_tells_of_the_time_that_is_left_at_its_end(database_url: str) -> None:
    app = create_app(Settings(database_url=database_url))
    with app.test_request_context("/v1/models"):
        app.preprocess_request()
        window = Sliding(13, 60, 0, 1, 30)
        g.account = ClientLimits("me", Allowance(requests_per_minute=3), window, time.monotonic() - 19.5)
        headers = app.process_response(Response()).headers
    found = {name: value for name, value in headers.items() if name.startswith("x-ratelimit")}
    assert list(found.values()) == ["3", "2", "1m11s"]


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
def test_durations_are_written_as_openai_does(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("address", "client_network"),
    [("1.2.3.4", "1.2.3.4"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("", "unknown"), ("x", "x")],
)
def test_an_ipv6_subscriber_is_one_client(address: str, client_network: str) -> None:
    assert network(address) == client_network
