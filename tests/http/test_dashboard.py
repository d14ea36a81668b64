"""The pages of the dashboard: what they show, without secrets and as text.

tests/ops/test_dashboard_browser.py uses them in a browser, and test_dashboard_access.py has who may see them.
"""

import re
from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from html import unescape
from typing import Any

import pytest

from gateway.answering.live_settings import LiveSettings
from gateway.api.dashboard.settings import Row, list_rows
from gateway.errors import StoreError
from gateway.settings import Settings
from gateway.store.database import Store
from gateway.store.runtime_settings import RuntimeSettings
from gateway.store.usage import UsageTable
from gateway.store.usage_series import UsageSeries
from gateway.turn import Usage
from tests.support.api_client import Api
from tests.support.apps import MakeApi
from tests.support.dashboard import HTML, dashboard_page
from tests.support.usage_records import make_record

SCRIPT = "<script>alert(1)</script>'\""
PAGES = (
    "",
    "/requests",
    "/keys",
    "/keys/new",
    "/accounts",
    "/stored",
    "/teams",
    "/me",
    "/models",
    "/try",
    "/connect",
    "/settings",
)
KILOBYTE = 1024
MOST_BYTES = 200 * KILOBYTE


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    """Return a client of a gateway that asks for no keys."""
    return make_api()


def linked_files(page: str) -> list[str]:
    """Return the URLs of everything that a page loads."""
    return re.findall(r'<(?:script|link|img)\b[^>]*?(?:src|href)="([^"]+)"', page)


@pytest.mark.parametrize("path", PAGES)
def test_page_loads_little_and_nothing_from_other_sites(api: Api, path: str) -> None:
    answer = api.get(f"/dashboard{path}", headers=HTML)
    sizes = [len(answer.content)]
    for url in linked_files(answer.text):
        assert url.startswith("/assets/"), url
        asset = api.get(url)
        assert asset.status_code == 200
        assert "immutable" in asset.headers["Cache-Control"]
        sizes.append(len(asset.content))
    assert sum(sizes) < MOST_BYTES
    assert not re.search(r"<script>|<style| style=| on\w+=", answer.text)
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.text.count('aria-current="page"') == 1
    assert answer.text.count("<h1>") == 1


def test_file_of_another_version_is_not_kept(api: Api) -> None:
    assert api.get("/assets/old/site/site.css").headers["Cache-Control"] == "no-cache"
    assert api.get("/assets/old/site/nothing.css").status_code == 404
    assert api.get("/assets/old/..%2f..%2fapp.py").status_code == 404


def shown_rows(settings: Settings) -> dict[str, Row]:
    table = RuntimeSettings(Store("sqlite:///unused.db"))
    return {row.name: row for row in list_rows(LiveSettings(settings, table))}


def test_every_setting_is_shown_without_its_secrets() -> None:
    settings = Settings(
        require_auth=True,
        api_keys=("secret-1", "secret-2"),
        claude_api_key="secret-3",
        database_url="postgresql://user:sec/ret:4@db.example/name?password=secret-5",
        rate_limit_storage_url="rediss://:secret@6@cache.example:6379/0",
        environ={"TOKEN": "secret-7"},
    )
    shown = shown_rows(settings)
    assert set(shown) == {field.name.upper() for field in fields(Settings)} - {"ENVIRON"}
    assert not any(re.search("sec.?ret-?[:@]?\\d|user", setting.value) for setting in shown.values())
    assert shown["API_KEYS"].value == shown["CLAUDE_API_KEY"].value == "set, not shown"
    assert shown["DATABASE_URL"].value == "postgresql://…@db.example/name"
    assert shown["RATE_LIMIT_STORAGE_URL"].value == "rediss://…@cache.example:6379/0"
    assert (shown["REQUIRE_AUTH"].value, shown["REQUIRE_AUTH"].is_default) == ("true", False)
    assert (shown["PORT"].value, shown["PORT"].is_default) == ("8000", True)
    known = {name: row.value for name, row in shown_rows(Settings()).items()}
    assert known["API_KEYS"] == known["CLAUDE_API_KEY"] == "\u2013"
    assert known["DATABASE_URL"] == "sqlite:///data/gateway.db"


def test_overview_of_an_unused_gateway_says_that_there_is_nothing(api: Api) -> None:
    shown = dashboard_page(api)
    for words in ("No active requests", "No requests in the last 24 hours", "The gateway is starting."):
        assert words in shown


def test_overview_sums_up_today_and_the_range_of_its_url(api: Api, usage_table: UsageTable) -> None:
    now = datetime.now(timezone.utc)
    tokens = Usage(1_000, 200_000, 3_000, 40_000, 0, 1.5)
    usage_table.add_records(
        [
            make_record(key_id="key_1", key_name="alice", usage=tokens, first_seconds=0.5),
            make_record(key_id="key_2", key_name="alice", model="opus", usage=replace(tokens, cost_usd=0.25)),
            make_record(started_at=now - timedelta(days=20), usage=replace(tokens, cost_usd=700.0)),
            make_record(outcome="failed", error="timeout", request_id="req_failed", usage=Usage()),
        ]
    )
    shown = dashboard_page(api)
    for words in ("$1.75", "$1.50", "$0.25", "488k", "500 ms", "33 %", "alice (key_1)", "no key", "opus"):
        assert words in shown, words
    assert "$700" not in shown
    assert "$701.75" in dashboard_page(api, "?range=30d")
    only_opus = dashboard_page(api, "?model=opus&range=30d").partition("By key")[2]
    assert "$0.25" in only_opus
    assert "$1.50" not in only_opus
    assert "key_1" not in dashboard_page(api, "?key=key_2").partition("By key")[2]


@pytest.mark.parametrize("path", ["", "/me", "?range=90d&all=1"])
def test_names_are_escaped(api: Api, usage_table: UsageTable, path: str) -> None:
    hostile = dict.fromkeys(("key_id", "key_name", "model", "endpoint", "request_id"), SCRIPT)
    usage_table.add_records([make_record(**hostile, outcome="failed", error=SCRIPT)])
    shown = dashboard_page(api, path)
    assert "<script>alert" not in shown
    assert "alert(1)" in shown


def test_overview_is_shown_when_the_database_fails(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise StoreError

    monkeypatch.setattr(UsageSeries, "sum_by_step", fail)
    assert "The database is unavailable" in dashboard_page(api)


def test_models_are_grouped_the_current_ones_first(api: Api) -> None:
    shown = dashboard_page(api, "/models")
    assert re.findall(r'<h2 id="group-\d">(.*?)</h2>', shown) == ["Current", "Retiring", "Retired"]
    assert shown.index("<code>sonnet</code>") < shown.index(">Retired<")


def test_clients_are_set_up_with_the_address_of_the_page(make_api: MakeApi) -> None:
    api = make_api(allowed_hosts=("gateway.example",))
    shown = unescape(dashboard_page(api, "/connect", host="gateway.example", x_forwarded_proto="https"))
    assert 'base_url = "https://gateway.example/v1"' in shown
    assert "<td><code data-copy>https://gateway.example/v1</code></td>" in shown
    assert "export GATEWAY_API_KEY=unused" in shown
    assert "Choose a cheap task model, such as <code>haiku</code>" in shown
