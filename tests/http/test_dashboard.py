"""The dashboard's page: settings, usage and failures, shown without secrets and as text.

tests/ops/test_dashboard_browser.py uses the page in a browser.
"""

import re
from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from html import unescape
from typing import Any

import pytest

from gateway.api.dashboard.page import settings_in_force
from gateway.errors import StoreError
from gateway.settings import Settings
from gateway.store.usage import UsageTable
from gateway.turn import Usage
from tests.support.api_client import Api
from tests.support.apps import MakeApi
from tests.support.dashboard import dashboard_page
from tests.support.usage_records import make_record

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    """Return a client of a gateway that asks for no keys."""
    return make_api()


def test_every_setting_is_shown_without_its_secrets() -> None:
    settings = Settings(
        require_auth=True,
        api_keys=("secret-1", "secret-2"),
        claude_api_key="secret-3",
        database_url="postgresql://user:sec/ret:4@db.example/name?password=secret-5",
        rate_limit_storage_url="rediss://:secret@6@cache.example:6379/0",
        environ={"TOKEN": "secret-7"},
    )
    shown = {setting.name: setting for setting in settings_in_force(settings)}
    assert set(shown) == {field.name.upper() for field in fields(Settings)} - {"ENVIRON"}
    assert not any(re.search("sec.?ret-?[:@]?\\d|user", setting.value) for setting in shown.values())
    assert shown["API_KEYS"].value == shown["CLAUDE_API_KEY"].value == "set, not shown"
    assert shown["DATABASE_URL"].value == "postgresql://…@db.example/name"
    assert shown["RATE_LIMIT_STORAGE_URL"].value == "rediss://…@cache.example:6379/0"
    assert (shown["REQUIRE_AUTH"].value, shown["REQUIRE_AUTH"].is_default) == ("true", False)
    assert (shown["PORT"].value, shown["PORT"].is_default) == ("8000", True)
    known = {setting.name: setting.value for setting in settings_in_force(Settings())}
    assert known["API_KEYS"] == known["CLAUDE_API_KEY"] == "\u2013"
    assert known["DATABASE_URL"] == "sqlite:///data/gateway.db"


def test_page_of_an_unused_gateway_says_that_there_is_nothing(api: Api) -> None:
    shown = dashboard_page(api)
    for words in (
        "No answer is being written.",
        "No answers in the last 30 days",
        "No answer has failed",
        "The gateway is starting.",
    ):
        assert words in shown


def test_usage_is_shown_by_day_key_and_model(api: Api, usage_table: UsageTable) -> None:
    long_ago = datetime.now(timezone.utc) - timedelta(days=30)
    tokens = Usage(1_000, 200_000, 3_000, 40_000, 0, 1.5)
    usage_table.add_records(
        [
            make_record(key_id="key_1", key_name="alice", usage=tokens),
            make_record(key_id="key_2", key_name="bob", model="opus", usage=replace(tokens, cost_usd=0.25)),
            make_record(started_at=long_ago, usage=replace(tokens, cost_usd=700.0)),
            make_record(outcome="failed", error="timeout", request_id="req_failed", usage=Usage()),
        ]
    )
    shown = dashboard_page(api)
    for words in ("$1.75", "$1.50", "$0.250", "488k", "244k", "alice", "bob", "opus", "no key", "req_failed"):
        assert words in shown
    assert "$70" not in shown
    today = re.search(rf"<th scope=\"row\">{datetime.now(timezone.utc):%Y-%m-%d}</th>.*", shown)
    assert today
    figures = re.findall(r'"number">(.*?)<', today[0])
    assert figures == ["3", "80k", "2,000", "6,000", "400k", "$1.75"]
    assert shown.count('<rect class="day"') == 2 * 30


def test_names_are_escaped(api: Api, usage_table: UsageTable) -> None:
    hostile = {
        "key_id": SCRIPT,
        "key_name": SCRIPT,
        "model": SCRIPT,
        "endpoint": SCRIPT,
        "request_id": SCRIPT,
    }
    usage_table.add_records([make_record(**hostile, outcome="failed", error=SCRIPT)])
    shown = dashboard_page(api)
    assert SCRIPT not in shown
    assert shown.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 6


def test_page_is_shown_when_the_database_fails(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise StoreError

    monkeypatch.setattr(UsageTable, "sum_by", fail)
    assert "The database is unavailable" in dashboard_page(api)


def test_clients_are_set_up_with_the_address_of_the_page(make_api: MakeApi) -> None:
    api = make_api(allowed_hosts=("gateway.example",))
    shown = unescape(dashboard_page(api, host="gateway.example", x_forwarded_proto="https"))
    assert 'base_url = "https://gateway.example/v1"' in shown
    assert "<td><code data-copy>https://gateway.example/v1</code></td>" in shown
    assert "export GATEWAY_API_KEY=unused" in shown
    assert "Choose a cheap task model, such as <code>haiku</code>" in shown
