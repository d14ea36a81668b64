"""The dashboard: what it shows, to whom, and that it works in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.api.dashboard.page import settings_in_force
from gateway.app import create_app
from gateway.errors import StoreError
from gateway.record import Record
from gateway.settings import Settings
from gateway.store import key_secrets
from gateway.store.admin_sessions import AdminSessions
from gateway.store.keys import Keys
from gateway.store.usage import UsageTable
from gateway.turn import Usage as Tokens
from tests.support import browser as chromium
from tests.support.gateway import clear_of_the_minute

CONFIGURED = "a-configured-key"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SCRIPT = "<script>alert(1)</script>"
IS_READY = "document.querySelector('#chat [type=submit]')?.disabled === false"  # the scripts run
CHAT = {"messages": [{"role": "user", "content": "hi"}]}

needs_a_browser = pytest.mark.skipif(chromium.PROGRAM is None, reason="there is no Chromium")


@pytest.fixture
def make_app(database_url: str) -> Iterator[Callable[..., Flask]]:
    """Makes apps on one database, with keys unless `require_auth` is False."""
    made: list[Flask] = []

    def make(**settings: Any) -> Flask:
        given = {"require_auth": True, "api_keys": (CONFIGURED,), "database_url": database_url, **settings}
        made.append(create_app(Settings(**given)))
        return made[-1]

    yield make
    for app in made:
        app.extensions["store"].close()


@pytest.fixture
def client(make_app: Callable[..., Flask]) -> FlaskClient:
    return make_app().test_client()


@pytest.fixture
def open_client(make_app: Callable[..., Flask]) -> FlaskClient:
    """Of a gateway that asks for no keys."""
    return make_app(require_auth=False).test_client()


@pytest.fixture
def keys(client: FlaskClient) -> Keys:
    found: Keys = client.application.extensions["keys"]
    return found


@pytest.fixture
def admin(keys: Keys) -> str:
    """An admin's key."""
    return keys.create("boss", is_admin=True)[1]


def sign_in(client: FlaskClient, key: str, **options: Any) -> TestResponse:
    return client.post("/dashboard", data={"key": key}, headers=HTML | options.pop("headers", {}), **options)


def page(client: FlaskClient) -> str:
    answer = client.get("/dashboard", headers=HTML)
    assert answer.status_code == 200, answer.text
    return answer.text


def csrf(client: FlaskClient) -> str:
    """What the page of whoever is signed in has to send back."""
    found = re.search(r'data-csrf="(\w{64})"', page(client))
    assert found
    return found[1]


# Who may see it


def test_a_browser_is_asked_to_sign_in(client: FlaskClient) -> None:
    for path in ("/dashboard", "/dashboard/live"):
        answer = client.get(path, headers=HTML)
        assert answer.status_code == 401
        assert answer.mimetype == "text/html"
        assert '<form method="post" action="/dashboard"' in answer.text
        assert "DATABASE_URL" not in answer.text
        assert client.get(path).json["error"]["code"] == "missing_api_key"  # type: ignore[index]


def test_only_an_admins_key_opens_it(client: FlaskClient, keys: Keys, admin: str) -> None:
    _, plain = keys.create("alice")
    for key, status, says in [
        ("wrong", 401, "is not valid"),
        ("", 401, "Admin key"),
        (plain, 403, "needs an admin key"),
        (CONFIGURED, 403, "needs an admin key"),
    ]:
        answer = sign_in(client, key)
        assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (status, [])
        assert says in answer.text
        assert answer.mimetype == "text/html"
        assert client.get("/dashboard", headers={"x-api-key": key}).status_code == status
    assert client.get("/dashboard", headers={"x-api-key": admin}).status_code == 200
    assert client.get("/dashboard", headers=HTML).status_code == 401


def test_the_cookie_is_for_the_dashboard_only(client: FlaskClient, keys: Keys, admin: str) -> None:
    answer = sign_in(client, admin)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/dashboard"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert re.search(r"Max-Age=43200", cookie)
    token = cookie.partition("=")[2].partition(";")[0]
    shown = page(client)
    for hidden in (admin, key_secrets.digest_key(admin), token):
        assert hidden not in shown
        assert hidden == token or hidden not in cookie
    sent = {"Cookie": f"dashboard_session={token}"}
    anywhere = client.application.test_client(use_cookies=False)  # sends what it is given, wherever to
    assert anywhere.get("/dashboard", headers=sent).status_code == 200
    for path in ("/v1/models", "/v1/usage", "/metrics"):
        assert anywhere.get(path, headers=sent).status_code == 401
    assert anywhere.post("/v1/chat/completions", json=CHAT, headers=sent).status_code == 401
    keys.revoke(keys.list()[0].id)
    assert client.get("/dashboard", headers=HTML).status_code == 401


@pytest.mark.parametrize(
    "options", [{"base_url": "https://localhost"}, {"headers": {"X-Forwarded-Proto": "https"}}]
)
def test_the_cookie_keeps_to_https(client: FlaskClient, admin: str, options: dict[str, Any]) -> None:
    assert "Secure" in sign_in(client, admin, **options).headers["Set-Cookie"].split("; ")


def test_all_workers_know_the_session(
    make_app: Callable[..., Flask], client: FlaskClient, admin: str
) -> None:
    token = sign_in(client, admin).headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    other = make_app().test_client()
    other.set_cookie("dashboard_session", token, path="/dashboard")
    page(other)


def test_signing_out_ends_the_session(client: FlaskClient, admin: str) -> None:
    cookie = sign_in(client, admin).headers["Set-Cookie"].partition(";")[0]
    answer = client.post("/dashboard/sign-out", data={"csrf_token": csrf(client)})
    assert answer.status_code == 303
    assert client.get("/dashboard", headers=HTML).status_code == 401
    anywhere = client.application.test_client(use_cookies=False)
    assert anywhere.get("/dashboard", headers=HTML | {"Cookie": cookie}).status_code == 401


def test_other_sites_cannot_use_the_session(
    make_app: Callable[..., Flask], client: FlaskClient, admin: str
) -> None:
    sign_in(client, admin)
    other = make_app().test_client()
    sign_in(other, admin)
    right, wrong = csrf(client), csrf(other)
    foreign = {"Sec-Fetch-Site": "cross-site", "X-CSRF-Token": right}
    for headers in ({}, {"X-CSRF-Token": wrong}, {"X-CSRF-Token": "\xff"}, foreign):
        for path in ("/dashboard/chat", "/dashboard/sign-out"):
            answer = client.post(path, json=CHAT, headers=headers)
            assert (answer.status_code, answer.json["error"]["code"]) == (403, "csrf_failed")  # type: ignore[index]
    # The chat is reached: it says that nothing was asked.
    answer = client.post("/dashboard/chat", json={}, headers={"X-CSRF-Token": right})
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "missing_messages")  # type: ignore[index]


def test_bad_sign_ins_are_counted(make_app: Callable[..., Flask]) -> None:
    clear_of_the_minute()
    client = make_app(trusted_proxies=1, rate_limit_failed_auth_per_minute=3).test_client()
    client.application.extensions["keys"].create("boss", is_admin=True)
    sent = {"X-Forwarded-For": "8.8.8.8"}
    statuses = [sign_in(client, "wrong", headers=sent).status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    answer = sign_in(client, "wrong", headers=sent)
    assert "Too many bad API keys" in answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert sign_in(client, "wrong", headers={"X-Forwarded-For": "8.8.4.4"}).status_code == 401


def test_the_chat_is_within_the_keys_limits(make_app: Callable[..., Flask]) -> None:
    clear_of_the_minute()
    client = make_app(rate_limit_requests_per_minute=2, rate_limit_burst=0).test_client()
    sign_in(client, client.application.extensions["keys"].create("boss", is_admin=True)[1])
    sent = {"X-CSRF-Token": csrf(client)}
    statuses = [client.post("/dashboard/chat", json={}, headers=sent).status_code for _ in range(3)]
    assert statuses == [400, 400, 429]
    page(client)  # which is no answer


def test_without_auth_it_is_open_and_says_so(open_client: FlaskClient) -> None:
    assert "No keys are asked for" in page(open_client)
    assert open_client.post("/dashboard", data={"key": "x"}).status_code == 303
    assert open_client.post("/dashboard/chat", json={}).status_code == 400
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert open_client.post("/dashboard/chat", json=CHAT, headers=cross).status_code == 403


def test_it_can_be_switched_off(make_app: Callable[..., Flask]) -> None:
    client = make_app(dashboard=False).test_client()
    for path in ("/dashboard", "/dashboard/live", "/dashboard/assets/live.js"):
        assert client.get(path).status_code == 404


def test_nothing_from_elsewhere_runs_or_reads(client: FlaskClient, open_client: FlaskClient) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    refused = client.get("/dashboard", headers=HTML | origin)
    shown = open_client.get("/dashboard", headers=HTML | origin)
    with client.get("/dashboard/assets/chat.js", headers=origin) as asset:
        assert asset.mimetype == "text/javascript"
    for answer in (refused, shown, asset):
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert shown.headers["Cache-Control"] == refused.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<script>|<style| style=| on\w+=|https?://", shown.text)
    assert open_client.get("/v1/models", headers=origin).headers["Access-Control-Allow-Origin"]


# What it shows


def test_every_setting_is_shown_and_no_secret() -> None:
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


def test_an_empty_gateway_says_so(open_client: FlaskClient) -> None:
    shown = page(open_client)
    for words in (
        "None now.",
        "No answers in the last 30 days",
        "No answer has failed",
        "The gateway is starting.",
    ):
        assert words in shown


def record(**values: Any) -> Record:
    known = {"request_id": "req_1", "endpoint": "/v1/messages", "started_at": datetime.now(timezone.utc)}
    return Record(**{**known, "outcome": "complete", "model": "haiku", **values})


def test_usage_is_shown_by_day_key_and_model(open_client: FlaskClient) -> None:
    usage: UsageTable = open_client.application.extensions["usage"]
    long_ago = datetime.now(timezone.utc) - timedelta(days=30)
    tokens = Tokens(1_000, 200_000, 3_000, 40_000, 0, 1.5)
    usage.add_records(
        [
            record(key_id="key_1", key_name="alice", usage=tokens),
            record(key_id="key_2", key_name="bob", model="opus", usage=replace(tokens, cost_usd=0.25)),
            record(started_at=long_ago, usage=replace(tokens, cost_usd=700.0)),
            record(outcome="failed", error="timeout", request_id="req_failed"),
        ]
    )
    shown = page(open_client)
    for words in ("$1.75", "$1.50", "$0.250", "488k", "244k", "alice", "bob", "opus", "no key", "req_failed"):
        assert words in shown
    assert "$70" not in shown
    today = re.search(rf"<th scope=\"row\">{datetime.now(timezone.utc):%Y-%m-%d}</th>.*", shown)
    assert today
    figures = re.findall(r'"number">(.*?)<', today[0])
    assert figures == ["3", "80k", "2,000", "6,000", "400k", "$1.75"]
    assert shown.count('<rect class="day"') == 2 * 30


def test_names_are_text(open_client: FlaskClient) -> None:
    usage: UsageTable = open_client.application.extensions["usage"]
    hostile = {
        "key_id": SCRIPT,
        "key_name": SCRIPT,
        "model": SCRIPT,
        "endpoint": SCRIPT,
        "request_id": SCRIPT,
    }
    usage.add_records([record(**hostile, outcome="failed", error=SCRIPT)])
    shown = page(open_client)
    assert SCRIPT not in shown
    assert shown.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 6


def test_it_comes_when_the_database_does_not(
    open_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise StoreError

    monkeypatch.setattr(UsageTable, "sum_by", fail)
    assert "The database is not available now" in page(open_client)


def test_a_database_that_fails_is_a_page(
    client: FlaskClient, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise StoreError

    sign_in(client, admin)
    monkeypatch.setattr(AdminSessions, "find", fail)
    answer = client.get("/dashboard", headers=HTML)
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "Try again" in answer.text
    assert "<form" not in answer.text
