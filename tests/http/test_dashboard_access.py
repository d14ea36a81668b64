"""Access to the dashboard: signing in and out, its cookie, CSRF, rate limits, and pages of other sites."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import Rule

from gateway.errors import StoreError
from gateway.store import key_secrets
from gateway.store.admin_sessions import AdminSessions
from gateway.store.database import Store
from gateway.store.keys import Keys
from gateway.store.limits.budgets import Allowance, Budgets
from gateway.store.limits.counters import DatabaseCounters
from gateway.store.usage import UsageTable
from gateway.turn import Usage
from tests.support.api_client import Api, chat_body, error_of
from tests.support.apps import Clock, MakeApi, MakeApp
from tests.support.dashboard import HTML, csrf_token, dashboard_page, media_type, sign_in
from tests.support.usage_records import make_record

CONFIGURED = "a-configured-key"

MakeBrowser = Callable[..., Api]


def fixed_pages(app: Flask) -> list[Rule]:
    """Return the rules of the pages whose URLs have no variables."""
    rules = app.url_map.iter_rules()
    return [
        rule
        for rule in rules
        if rule.rule.startswith("/dashboard") and "GET" in (rule.methods or ()) and not rule.arguments
    ]


@pytest.fixture
def make_browser(make_api: MakeApi) -> MakeBrowser:
    """Return a function that makes a client without a key of a gateway that asks for keys."""
    return lambda **settings: make_api(**{"require_auth": True, "api_keys": (CONFIGURED,), **settings})


@pytest.fixture
def browser(make_browser: MakeBrowser) -> Api:
    return make_browser()


@pytest.fixture
def open_browser(make_api: MakeApi) -> Api:
    """Return a client of a gateway that asks for no keys and lets one other site use its API."""
    return make_api(allowed_origins=("https://elsewhere.example",))


@pytest.fixture
def admins_key(keys: Keys) -> str:
    return keys.create("boss", is_admin=True)[1]


def session_cookie(browser: Api, admins_key: str) -> dict[str, str]:
    """Sign in and return the header that carries the session's cookie."""
    return {"Cookie": sign_in(browser, admins_key).headers["Set-Cookie"].partition(";")[0]}


# Signing in and out


def test_browser_is_asked_to_sign_in(browser: Api) -> None:
    for path in ("/dashboard", "/dashboard/live", "/dashboard/models"):
        answer = browser.get(path, headers=HTML)
        assert answer.status_code == 401
        assert media_type(answer) == "text/html"
        assert '<form method="post" action="/dashboard"' in answer.text
        assert "DATABASE_URL" not in answer.text
        assert error_of(browser.get(path)).code == "missing_api_key"


def test_wrong_key_opens_no_page(browser: Api, admins_key: str) -> None:
    for key, words in [("wrong", "is not valid"), ("", "API key")]:
        answer = sign_in(browser, key)
        assert (answer.status_code, answer.headers.get_list("Set-Cookie")) == (401, [])
        assert words in answer.text
        assert media_type(answer) == "text/html"
        assert browser.get("/dashboard", headers={"x-api-key": key}).status_code == 401
    assert browser.get("/dashboard", headers={"x-api-key": admins_key}).status_code == 200
    assert browser.get("/dashboard", headers=HTML).status_code == 401


@pytest.mark.parametrize("role", ["none", "key", "configured", "admin"])
def test_each_role_opens_its_pages_only(make_app: MakeApp, keys: Keys, admins_key: str, role: str) -> None:
    """The pages come from the app's URL map, so that a new one is covered as soon as it exists."""
    app = make_app(require_auth=True, api_keys=(CONFIGURED,))
    browser = Api.of_app(app)
    plain = {"key": keys.create("alice")[1], "configured": CONFIGURED, "admin": admins_key}.get(role)
    if plain:
        assert sign_in(browser, plain).status_code == 303
    found = [(page, browser.get(page.rule, headers=HTML).status_code) for page in fixed_pages(app)]
    for page, status in found:
        is_allowed = role == "admin" or page.endpoint.startswith("dashboard-own.")
        allowed = 400 if page.endpoint.endswith(".compare") else 200  # it needs two requests
        assert status == (401 if role == "none" else allowed if is_allowed else 403), page
    assert len(found) >= 8


def test_pages_of_a_plain_key_show_nothing_of_others(
    browser: Api, keys: Keys, usage_table: UsageTable
) -> None:
    alice, plain = keys.create("alice")
    bob, _ = keys.create("bob")
    usage_table.add_records(
        [
            make_record(key_id=alice.id, key_name="alice", model="her-model"),
            make_record(key_id=bob.id, key_name="bob", model="his-model"),
        ]
    )
    answer = sign_in(browser, plain)
    assert answer.headers["Location"] == "/dashboard/me"
    shown = "".join(dashboard_page(browser, page) for page in ("/me", "/models", "/try", "/connect"))
    assert "her-model" in shown
    for hidden in ("his-model", "bob", bob.id, "DATABASE_URL", 'href="/dashboard"', "/dashboard/settings"):
        assert hidden not in shown
    refused = browser.get("/dashboard", headers=HTML)
    assert "needs an admin key" in refused.text
    assert 'href="/dashboard/me"' in refused.text


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/dashboard/models?x=1", "/dashboard/models?x=1"),
        ("https://evil.example", "/dashboard"),
        ("//evil.example", "/dashboard"),
        ("/dashboard//evil.example", "/dashboard"),
        ("/v1/models", "/dashboard"),
    ],
)
def test_signing_in_leads_to_the_page_that_was_asked_for(
    browser: Api, admins_key: str, target: str, location: str
) -> None:
    answer = browser.post("/dashboard", data={"key": admins_key, "target": target}, headers=HTML)
    assert (answer.status_code, answer.headers["Location"]) == (303, location)


def test_cookie_is_valid_for_the_dashboard_only(
    make_browser: MakeBrowser, keys: Keys, admins_key: str
) -> None:
    browser = make_browser()
    answer = sign_in(browser, admins_key)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/dashboard"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert re.search(r"Max-Age=43200", cookie)
    token = cookie.partition("=")[2].partition(";")[0]
    page = dashboard_page(browser)
    for hidden in (admins_key, key_secrets.digest_key(admins_key), token):
        assert hidden not in page
        assert hidden == token or hidden not in cookie
    stolen = {"Cookie": f"dashboard_session={token}"}
    other = make_browser()
    assert other.get("/dashboard", headers=stolen).status_code == 200
    for path in ("/v1/models", "/v1/usage", "/metrics"):
        assert other.get(path, headers=stolen).status_code == 401
    assert other.post("/v1/chat/completions", json=chat_body(), headers=stolen).status_code == 401
    keys.revoke(keys.list()[0].id)
    assert browser.get("/dashboard", headers=HTML).status_code == 401


@pytest.mark.parametrize(
    ("url", "headers"),
    [("https://localhost/dashboard", {}), ("/dashboard", {"X-Forwarded-Proto": "https"})],
)
def test_cookie_is_secure_over_https(
    browser: Api, admins_key: str, url: str, headers: dict[str, str]
) -> None:
    assert "Secure" in sign_in(browser, admins_key, url, **headers).headers["Set-Cookie"].split("; ")


def test_session_is_valid_in_all_workers(make_browser: MakeBrowser, admins_key: str) -> None:
    cookie = session_cookie(make_browser(), admins_key)
    assert make_browser().get("/dashboard", headers=HTML | cookie).status_code == 200


def test_signing_out_ends_the_session(make_browser: MakeBrowser, admins_key: str) -> None:
    browser = make_browser()
    cookie = session_cookie(browser, admins_key)
    assert browser.post("/dashboard/sign-out", data={"csrf_token": csrf_token(browser)}).status_code == 303
    assert browser.get("/dashboard", headers=HTML).status_code == 401
    assert make_browser().get("/dashboard", headers=HTML | cookie).status_code == 401


def test_failing_database_is_a_page(browser: Api, admins_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise StoreError

    sign_in(browser, admins_key)
    monkeypatch.setattr(AdminSessions, "find_digest", fail)
    answer = browser.get("/dashboard", headers=HTML)
    assert (answer.status_code, media_type(answer)) == (503, "text/html")
    assert "Try again" in answer.text
    assert "<form" not in answer.text


def test_dashboard_is_open_without_authentication_and_says_so(open_browser: Api) -> None:
    assert "The gateway asks for no keys" in dashboard_page(open_browser)
    assert open_browser.post("/dashboard", data={"key": "x"}).status_code == 303
    assert open_browser.post("/dashboard/chat", json={}).status_code == 400
    cross_site = {"Sec-Fetch-Site": "cross-site"}
    assert open_browser.post("/dashboard/chat", json=chat_body(), headers=cross_site).status_code == 403


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"host": "0.0.0.0"}, "HOST=0.0.0.0"), ({"allowed_origins": ("*",)}, "ALLOWED_ORIGINS=*"), ({}, "")],
)
def test_dashboard_warns_if_strangers_can_use_the_gateway(
    make_api: MakeApi, settings: dict[str, Any], words: str
) -> None:
    page = dashboard_page(make_api(**settings))
    assert ("strangers can use it" in page) == bool(words)
    assert f"({words})" in page or not words


def test_dashboard_can_be_switched_off(make_browser: MakeBrowser) -> None:
    browser = make_browser(dashboard=False)
    for path in ("/dashboard", "/dashboard/live", "/dashboard/me", "/dashboard/chat"):
        assert browser.get(path).status_code == 404


# Rate limits


def test_failed_sign_ins_count_as_guessed_keys(make_browser: MakeBrowser, admins_key: str) -> None:
    browser = make_browser(trusted_proxies=1, rate_limit_failed_auth_per_minute=3)
    address = {"X-Forwarded-For": "8.8.8.8"}
    statuses = [sign_in(browser, "wrong", **address).status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    answer = sign_in(browser, "wrong", **address)
    assert "Too many bad API keys" in answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert sign_in(browser, "wrong", **{"X-Forwarded-For": "8.8.4.4"}).status_code == 401


def test_chat_counts_towards_the_limits_of_the_key(make_browser: MakeBrowser, admins_key: str) -> None:
    browser = make_browser(now=Clock(), rate_limit_requests_per_minute=2, rate_limit_burst=0)
    sign_in(browser, admins_key)
    headers = {"X-CSRF-Token": csrf_token(browser)}
    statuses = [browser.post("/dashboard/chat", json={}, headers=headers).status_code for _ in range(3)]
    assert statuses == [400, 400, 429]
    dashboard_page(browser)  # the page itself does not count


def test_chat_is_rejected_when_the_budget_of_the_key_is_used_up(
    make_browser: MakeBrowser, keys: Keys, store: Store
) -> None:
    key, plain = keys.create("boss", is_admin=True)
    budgets = Budgets(DatabaseCounters(store=store))
    budgets.charge(key.id, Allowance(tokens_per_month=1), Usage(output_tokens=1))
    browser = make_browser(rate_limit_tokens_per_month=1)
    sign_in(browser, plain)
    answer = browser.post("/dashboard/chat", json={}, headers={"X-CSRF-Token": csrf_token(browser)})
    assert error_of(answer)[:2] == (429, "insufficient_quota")


# Other sites


def test_other_sites_cannot_use_the_session(make_browser: MakeBrowser, admins_key: str) -> None:
    browser, other = make_browser(), make_browser()
    sign_in(browser, admins_key)
    sign_in(other, admins_key)
    valid, anothers = csrf_token(browser), csrf_token(other)
    attempts: list[dict[str, Any]] = [
        {},
        {"X-CSRF-Token": anothers},
        {"X-CSRF-Token": b"\xff"},
        {"Sec-Fetch-Site": "cross-site", "X-CSRF-Token": valid},
    ]
    for headers in attempts:
        for path in ("/dashboard/chat", "/dashboard/sign-out"):
            answer = browser.post(path, json=chat_body(), headers=headers)
            assert error_of(answer)[:2] == (403, "csrf_failed")
    # With the valid token the request reaches the chat, which rejects it for its missing messages.
    answer = browser.post("/dashboard/chat", json={}, headers={"X-CSRF-Token": valid})
    assert error_of(answer)[:2] == (400, "missing_messages")


def test_other_sites_can_neither_run_code_in_the_page_nor_read_it(browser: Api, open_browser: Api) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    rejected = browser.get("/dashboard", headers=HTML | origin)
    page = open_browser.get("/dashboard", headers=HTML | origin)
    asset = browser.get("/assets/x/site/chat.js", headers=origin)
    assert media_type(asset) == "text/javascript"
    for answer in (rejected, page, asset):
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert page.headers["Cache-Control"] == rejected.headers["Cache-Control"] == "no-store"
    assert open_browser.get("/v1/models", headers=origin).headers["Access-Control-Allow-Origin"]
